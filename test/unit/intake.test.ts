import { afterEach, describe, expect, test } from 'vitest'
import { chanceFrom } from '../../base/chance.ts'
import { createDispatcher } from '../../controller/dispatcher.ts'
import { createEffects } from '../../controller/effects.ts'
import { createExecution } from '../../controller/execution.ts'
import { createFleet } from '../../controller/fleet.ts'
import { createIntake } from '../../controller/intake.ts'
import { openStore, type Store } from '../../controller/store/store.ts'
import { maxMessageBytes } from '../../schemas/request.ts'
import { readTask, type TaskInput } from '../../schemas/task.ts'
import { someCommandKeys } from '../harness/keys.ts'
import { clockOf, createTime, randomFrom } from '../simulation/sim-clock.ts'
import { createWire, outputOf, startDesk } from './desk.ts'

const opened: Store[] = []
afterEach(() => {
  for (const store of opened.splice(0)) store.close()
})

/** An intake over a store in memory, without a controller around it. */
const openIntake = (devices: readonly (readonly [string, Record<string, string>])[] = []) => {
  const time = createTime()
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const random = randomFrom(4)
  const chance = chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)))
  const store = openStore(':memory:', ':memory:')
  opened.push(store)
  for (const [name, labels] of devices) {
    store.devices.join(name, 1)
    const row = store.devices.get(name)
    if (row) store.devices.update({ ...row, labels: JSON.stringify(labels), drained: labels['drained'] ? 1 : 0 })
  }
  const fleet = createFleet(store, clock, 40_000)
  fleet.reload()
  const bus = createWire(time).open()
  const effects = createEffects({
    fleet: 'default',
    bus,
    clock,
    chance,
    epoch: () => 1,
    keys: someCommandKeys(),
    welcomedOf: () => undefined,
    show: () => null,
  })
  const execution = createExecution({ store, fleet, effects, clock, chance, heartbeatMs: 10_000 })
  const dispatcher = createDispatcher(store, fleet, execution)
  return { store, fleet, intake: createIntake({ store, fleet, effects, execution, dispatcher, clock, chance }) }
}
const task = (more: Record<string, unknown> = {}): TaskInput => {
  const read = readTask({ payload: { command: ['a'], env: { A: '1', B: '2' } }, ...more })
  if (!read.ok) throw new Error(read.error.message)
  return read.task
}
const codes = (outcome: { ok: boolean; error?: { code: string } }): string => (outcome.ok ? 'ok' : (outcome.error?.code ?? ''))

describe('createIntake()', () => {
  test('a fingerprint knows no order of keys, and every value', () => {
    const { intake } = openIntake()
    const submit = (more: Record<string, unknown>) => codes(intake.submit('a', task({ idempotency_key: 'k', ...more })))
    expect(submit({ metadata: { x: { p: 1, q: [1, 2] }, y: null } })).toBe('ok')
    expect(submit({ metadata: { y: null, x: { q: [1, 2], p: 1 } } })).toBe('ok')
    expect(submit({ metadata: { y: null, x: { q: [1, 2], p: 1 } }, priority: 'medium', tags: [], type: 'command' })).toBe('ok')
    for (const other of [
      { metadata: { x: { p: 1, q: [2, 1] }, y: null } },
      { metadata: { x: { p: '1', q: [1, 2] }, y: null } },
      { metadata: { x: { p: 1, q: [1, 2] } } },
      { metadata: { x: { p: 1, q: [1, 2] }, y: null }, priority: 'high' },
      { metadata: { x: { p: 1, q: [1, 2] }, y: null }, tags: ['t'] },
    ])
      expect([other, submit(other)]).toEqual([other, 'conflict'])
  })

  test('one lane for one run: any device, a selector, or a name; nobody has to be there', () => {
    const { intake, fleet } = openIntake()
    for (const target of [{}, { selector: 'os=linux' }, { device: 'd9' }])
      expect(codes(intake.submit('a', task({ target })))).toBe('ok')
    expect([...fleet.waiting]).toEqual([
      ['*', 1],
      ['?os=linux', 1],
      ['=d9', 1],
    ])
  })

  test('a fan-out waits once for each device that matches and is neither drained nor removed, also for those that are away', () => {
    const { intake, store } = openIntake([
      ['d1', { os: 'linux' }],
      ['d2', { os: 'linux', drained: 'yes' }],
      ['d3', { os: 'plan9' }],
      ['d4', { os: 'linux' }],
    ])
    const lanes = (target: Record<string, unknown>) => {
      const outcome = intake.submit('a', task({ target: { ...target, fanout: 'all' } }))
      if (!outcome.ok) return outcome.error.code
      expect(outcome.output.row.open).toBe(store.queue.ofTask(outcome.output.row.task_id).length)
      return store.queue.ofTask(outcome.output.row.task_id).map((row) => row.lane)
    }
    expect(lanes({ selector: 'os=linux' })).toEqual(['=d1', '=d4'])
    expect(lanes({})).toEqual(['=d1', '=d3', '=d4'])
    expect(lanes({ selector: '' })).toEqual(['=d1', '=d3', '=d4'])
    expect(lanes({ device: 'd3' })).toEqual(['=d3'])
    expect(lanes({ selector: 'os=none' })).toBe('no_match')
  })

  test('a refusal stores nothing', () => {
    const { intake, store, fleet } = openIntake()
    intake.submit('a', task({ target: { fanout: 'all' } }))
    expect([store.tasks.counts(), store.queue.depth().depth, fleet.waiting.size]).toEqual([{}, 0, 0])
  })
})

describe('a full disk', () => {
  test('what cannot be stored is not acknowledged; with room again the same request is accepted, once', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const pages = Number(desk.store.db.pragma('page_count', { simple: true }))
    desk.store.db.pragma(`max_page_count = ${pages}`)
    const input = { payload: { command: 'x' }, metadata: { t: 'x'.repeat(60_000) }, idempotency_key: 'k' }
    await expect(desk.ask('task.submit', input)).rejects.toThrow()
    expect(desk.store.tasks.counts()).toEqual({})
    expect(desk.commands('d1', 'run')).toEqual([])
    desk.store.db.pragma('max_page_count = 100000')
    const id = await desk.submit({ ...input })
    expect(await desk.submit({ ...input })).toBe(id)
    expect(desk.task(id).state).toBe('active')
  })

  test('a device that joins while nothing can be stored is stored with its next hello', async () => {
    const desk = await startDesk()
    const pages = Number(desk.store.db.pragma('page_count', { simple: true }))
    desk.store.db.pragma(`max_page_count = ${pages}`)
    await desk.hello('d1', { labels: { big: 'x'.repeat(20_000) } })
    expect(desk.commands('d1', 'welcome')).toEqual([])
    expect(desk.store.devices.get('d1')).toBeUndefined()
    desk.store.db.pragma('max_page_count = 100000')
    await desk.hello('d1')
    expect(desk.commands('d1', 'welcome').length).toBe(1)
    expect(desk.store.devices.get('d1')?.journal).toBe('journal-of-d1')
  })
})

type Page = { runs: { run_id: string }[]; history: { run_id: string | null; state: string }[]; cursor: string | null }

describe('answers', () => {
  test('task.get of a wide fan-out comes in pages that fit in a message, each run and each moment once', async () => {
    const desk = await startDesk()
    for (let i = 0; i < 400; i++) await desk.hello(`d${i}`)
    const id = await desk.submit({ target: { fanout: 'all' } })
    const runs: string[] = []
    const history: { run_id: string | null; state: string }[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const shown = await desk.ask('task.get', { task_id: id, ...(cursor === undefined ? {} : { cursor }) })
      expect(Buffer.byteLength(JSON.stringify(shown))).toBeLessThan(maxMessageBytes)
      const page = outputOf(shown) as unknown as Page
      runs.push(...page.runs.map((run) => run.run_id))
      history.push(...page.history)
      cursor = page.cursor
    }
    expect(new Set(runs).size).toBe(400)
    expect(runs.length).toBe(400)
    expect(history.filter((one) => one.run_id === null && one.state === 'queued').length).toBe(1)
    expect(history.filter((one) => one.state === 'dispatched').length).toBe(400)
  })
})
