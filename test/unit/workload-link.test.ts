import { beforeEach, describe, expect, test } from 'vitest'
import { chanceFrom } from '../../base/chance.ts'
import { openDatabase } from '../../base/database.ts'
import { silentLog } from '../../base/log.ts'
import { createAnswering, type Perform } from '../../device/answering.ts'
import { createDeviceCore } from '../../device/core.ts'
import { createJournal, journalMigrations } from '../../device/journal.ts'
import { fitting } from '../../device/reporting.ts'
import { accepted, type Outcome, refused } from '../../schemas/errors.ts'
import { Reported, type WorkloadStatus } from '../../schemas/workload-status.ts'
import { someCommandKeys } from '../harness/keys.ts'
import { clockOf, randomFrom } from '../simulation/sim-clock.ts'
import { createMachine } from '../simulation/sim-machine.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'
import { type Desk, outputOf, startDesk } from './desk.ts'
import { workloadNamed } from './workload-status.ts'

const keys = someCommandKeys()
let desk: Desk
beforeEach(async () => {
  desk = await startDesk({ keys })
})

/** A device as it is, but for its machine, on the wire of the desk. */
const startDevice = async (perform?: Perform) => {
  const life = { isDead: false, wallOffsetMs: 0 }
  const random = randomFrom(3)
  const bus = desk.wire.open()
  const state = { seq: 0, workloads: [] as WorkloadStatus[] }
  const core = createDeviceCore({
    name: 'd1',
    fleet: 'default',
    bus,
    journal: createJournal(openDatabase(':memory:', journalMigrations)),
    runner: createMachine(desk.time, 'd1').runnerFor(life),
    segments: createSimSegments(desk.time.now).segments,
    clock: clockOf(desk.time, life),
    chance: chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256))),
    log: silentLog,
    boot: 'b',
    pinned: () => ({ by: 'token', kids: keys.kids() }),
    version: 't',
    labels: () => ({ os: 'linux' }),
    capacity: 2,
    metrics: () => ({}),
    spoolBudget: () => 1e9,
    workloads: () => ({
      recover: () => new Set(),
      statuses: () => (state.seq === 0 ? null : state.workloads),
      perform: perform ?? (async () => refused('not_supported', 'it does nothing')),
      answer: () => {},
      work: () => undefined,
      shutdown: async () => undefined,
      release: () => undefined,
    }),
  })
  await core.start()
  await desk.advance(1000)
  const change = async (...workloads: WorkloadStatus[]) => {
    Object.assign(state, { seq: state.seq + 1, workloads })
    core.link.reportedChanged()
    await desk.advance(0)
  }
  return { bus, change }
}
const told = () => desk.wire.sent.filter((one) => one.topic.endsWith('device/d1/reported'))
const begin = (operation: string, input: object) => {
  const asked = { outcome: undefined as Outcome<unknown> | undefined }
  void desk.controller.ask({ subject: 'admin', door: 'api' }, operation, input).then((outcome) => {
    asked.outcome = outcome
  })
  return asked
}

describe('between the controller and the link of a device', () => {
  test('a device that has nothing to report says nothing; then each change at once, and what follows within a second together', async () => {
    const device = await startDevice()
    expect(told()).toEqual([])
    for (let i = 0; i < 5; i++) await device.change(workloadNamed('a', { run_count: i }))
    expect(told()).toHaveLength(1)
    await desk.advance(1000)
    expect(told()).toHaveLength(2)
    expect(outputOf(await desk.ask('workload.get', { device: 'd1', workload: 'a' }))).toMatchObject({
      run_count: 4,
      state: 'running',
    })
    await desk.advance(5000)
    await device.change(workloadNamed('a', { run_count: 9 }))
    expect(told()).toHaveLength(3)
    const last = desk.wire.retained.get('skein/v1/default/device/d1/reported')
    expect(Reported.parse(JSON.parse(Buffer.from(last ?? '').toString()))).toMatchObject({
      seq: 3,
      workloads: [{ run_count: 9 }],
    })
  })

  test('every welcome is followed by what is true now', async () => {
    const device = await startDevice()
    await device.change(workloadNamed('a'))
    device.bus.cut()
    await desk.advance(3000)
    await device.change(workloadNamed('b'))
    expect(told()).toHaveLength(1)
    device.bus.mend()
    await desk.advance(3000)
    expect(outputOf(await desk.ask('workload.list', {}))['workloads']).toMatchObject([{ name: 'b' }])
  })

  test('what is asked reaches the device with its input, once, and its answer reaches who asked', async () => {
    const done: [string, unknown][] = []
    await startDevice(async (request, input) => {
      done.push([request, input])
      return request === 'stop' ? refused('not_found', 'no such workload') : accepted(workloadNamed('a'))
    })
    const started = begin('workload.start', { device: 'd1', workload: 'a', idempotency_key: 'k' })
    const stopped = begin('workload.stop', { device: 'd1', workload: 'z' })
    await desk.advance(100)
    expect(started.outcome).toMatchObject({ ok: true, output: { name: 'a', device: 'd1' } })
    expect(stopped.outcome).toMatchObject({ ok: false, error: { code: 'not_found', message: 'no such workload' } })
    const again = begin('workload.start', { device: 'd1', workload: 'a', idempotency_key: 'k' })
    await desk.advance(100)
    expect(again.outcome).toMatchObject({ ok: true })
    expect(done).toEqual([
      ['start', { workload: 'a' }],
      ['stop', { workload: 'z' }],
    ])
  })

  test('while it is done it is not begun again, however often the controller asks', async () => {
    let finish: (outcome: Outcome<unknown>) => void = () => undefined
    let count = 0
    await startDevice(() => {
      count++
      return new Promise((resolve) => {
        finish = resolve
      })
    })
    const asked = begin('workload.restart', { device: 'd1', workload: 'a' })
    await desk.advance(7000)
    expect([count, desk.commands('d1', 'restart').length]).toEqual([1, 4])
    finish(accepted(workloadNamed('a')))
    await desk.advance(100)
    expect(asked.outcome).toMatchObject({ ok: true })
  })

  test('a device without workloads says so', async () => {
    await startDevice()
    const asked = begin('workload.reload', { device: 'd1' })
    await desk.advance(100)
    expect(asked.outcome).toMatchObject({ ok: false, error: { code: 'not_supported' } })
  })
})

describe('createAnswering()', () => {
  const answeringWith = (perform: Perform) => {
    const sent: { request: string; ok: boolean; error?: { code: string } }[] = []
    const answering = createAnswering({ perform, send: (payload) => sent.push(JSON.parse(payload).input), log: silentLog })
    return { sent, asked: (request: string) => answering.asked(request, 'stop', { workload: 'a' }), answering }
  }

  test('remembers its last 256 answers, and gives them again', async () => {
    let count = 0
    const { sent, asked } = answeringWith(async () => accepted({ n: ++count }))
    for (let i = 0; i < 257; i++) await asked(`r${i}`)
    await asked('r1')
    expect([count, sent.at(-1)]).toEqual([257, { request: 'r1', ok: true, output: { n: 2 } }])
    await asked('r0')
    expect(count).toBe(258)
  })

  test('pages of logs are not kept', async () => {
    let count = 0
    const { answering } = answeringWith(async () => accepted({ n: ++count }))
    for (let i = 0; i < 2; i++) await answering.asked('r', 'logs', { workload: 'a', after: 0, limit: 10 })
    expect(count).toBe(2)
  })

  test('what is typed into a shell is typed once; what is only read from it is not kept, and others are not forgotten for it', async () => {
    let count = 0
    const { answering, asked } = answeringWith(async () => accepted({ n: ++count }))
    const step = { by: 'ann', workload: 'a', after: 0, wait_seconds: 0, term: 'dumb' }
    await asked('stop')
    for (const kept of [step, { ...step, session: 's', write: 'eA==' }, { ...step, session: 's', end: true }]) {
      const request = JSON.stringify(kept)
      count = 0
      for (let i = 0; i < 2; i++) await answering.asked(request, 'shell', kept)
      expect([request, count]).toEqual([request, 1])
    }
    count = 0
    for (let i = 0; i < 2; i++) await answering.asked('read', 'shell', { ...step, session: 's' })
    expect(count).toBe(2)
    for (let i = 0; i < 300; i++) await answering.asked(`w${i}`, 'shell', { ...step, session: 's', write: 'eA==' })
    await asked('stop')
    expect(count).toBe(302)
  })

  test('an answer too large for a message, and a fault of the device, are answers', async () => {
    const large = answeringWith(async () => accepted('x'.repeat(130_000)))
    await large.asked('r')
    expect(large.sent).toMatchObject([{ request: 'r', ok: false, error: { code: 'too_large' } }])
    const broken = answeringWith(() => Promise.reject(new Error('no disk')))
    await broken.asked('r')
    expect(broken.sent).toMatchObject([{ request: 'r', ok: false, error: { code: 'internal' } }])
  })
})

describe('fitting()', () => {
  const report = (count: number, over: Partial<WorkloadStatus>): Reported => ({
    journal: 'j',
    seq: 1,
    at: '2026-01-01T00:00:00.000Z',
    revision: 0,
    workloads: Array.from({ length: count }, (_, i) => workloadNamed(`w${i}`, over)),
  })

  test('leaves out details before workloads, and says so', () => {
    const most = 120 * 1024
    expect(JSON.parse(fitting(report(10, { last_error: 'e' })))).not.toHaveProperty('is_partial')
    for (const [count, over, kept] of [
      [100, { last_error: 'e'.repeat(2000), tags: ['t'] }, { last_error: null, tags: ['t'] }],
      [100, { last_error: 'e', tags: ['t'.repeat(2000)] }, { last_error: null, tags: [] }],
    ] as const) {
      const text = fitting(report(count, { ...over, tags: [...over.tags] }))
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most)
      const read = Reported.parse(JSON.parse(text))
      expect([read.is_partial, read.workloads.length]).toEqual([true, count])
      expect(read.workloads[0]).toMatchObject(kept)
    }
    const text = fitting(report(1000, {}))
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most)
    expect(Reported.parse(JSON.parse(text)).workloads.length).toBeGreaterThan(200)
  })
})
