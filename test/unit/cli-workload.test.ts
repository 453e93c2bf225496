import { describe, expect, test } from 'vitest'
import { type Clock, sleep, systemClock } from '../../base/clock.ts'
import { clientOn } from '../../controller/cli/client.ts'
import { deviceOf, onlyDevice } from '../../controller/cli/workload-device.ts'
import { followWorkload } from '../../controller/cli/workload-follow.ts'
import { reloadLines, workloadDetails, workloadsTable } from '../../controller/cli/workload-show.ts'
import { wireError } from '../../schemas/errors.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { topicOf } from '../../schemas/topics.ts'
import type { FleetWorkload } from '../../schemas/workload-operations.ts'
import { eventually } from '../harness/eventually.ts'
import { recordingIo } from './cli-io.ts'
import { memoryBus, serve, where } from './memory-bus.ts'
import { workloadNamed } from './workload-status.ts'

/** Half a minute in a third of a second. */
const fastClock: Clock = {
  ...systemClock,
  mono: () => systemClock.mono() * 100,
  after: (ms, call) => systemClock.after(ms / 100, call),
}
const on = (device: string, name: string, over: Partial<FleetWorkload> = {}): FleetWorkload => ({
  ...workloadNamed(name),
  device,
  device_state: 'online',
  reported_at: '2026-01-01T00:00:00.000Z',
  ...over,
})

describe('which device is meant', () => {
  const clientWith = (answer: (operation: string) => unknown) => {
    const { bus } = memoryBus()
    const seen = serve(bus, ({ operation }) => ({ ok: true, output: answer(operation) }))
    return { client: clientOn(bus, where, recordingIo({ clock: fastClock }).io, 10_000), seen }
  }

  test('the one that is named, or the only one that has such a workload', async () => {
    const one = clientWith(() => ({ workloads: [on('pi-1', 'a')], cursor: null }))
    expect(await deviceOf(one.client, { device: 'other' }, 'a')).toBe('other')
    expect(one.seen).toEqual([])
    expect(await deviceOf(one.client, {}, 'a')).toBe('pi-1')
    expect(one.seen).toMatchObject([{ operation: 'workload.list', input: { name: 'a' } }])
    const two = clientWith(() => ({ workloads: [on('pi-1', 'a'), on('pi-2', 'a')], cursor: null }))
    await expect(deviceOf(two.client, {}, 'a')).rejects.toMatchObject({
      exitCode: 2,
      message: '"a" is on several devices: name one with --device (pi-1, pi-2)',
    })
    const none = clientWith(() => ({ workloads: [], cursor: null }))
    await expect(deviceOf(none.client, {}, 'a')).rejects.toMatchObject({ exitCode: 3, code: 'not_found' })
  })

  test('for a reload the only one that there is', async () => {
    const device = {
      device: 'pi-1',
      state: 'online',
      reason: null,
      labels: {},
      capacity: 1,
      running: 0,
      drained: false,
      version: null,
      last_seen_at: null,
      joined_at: '2026-01-01T00:00:00.000Z',
      metrics: null,
    }
    expect(await onlyDevice(clientWith(() => ({ devices: [device], cursor: null })).client, {})).toBe('pi-1')
    const two = clientWith(() => ({ devices: [device, { ...device, device: 'pi-2' }], cursor: null }))
    await expect(onlyDevice(two.client, {})).rejects.toMatchObject({ exitCode: 2 })
    await expect(onlyDevice(clientWith(() => ({ devices: [], cursor: null })).client, {})).rejects.toMatchObject({ exitCode: 3 })
  })
})

describe('how workloads are shown', () => {
  const now = Date.parse('2026-01-01T00:01:00.000Z')

  test('as a table, with what waits and why', () => {
    const table = workloadsTable(
      [
        on('pi-1', 'web', { health: 'healthy' }),
        on('pi-2', 'job', {
          device_state: 'offline',
          state: 'backoff',
          reason: 'exited with 3',
          next_at: '2026-01-01T00:01:05.000Z',
          memory_mb: null,
        }),
      ],
      { terminal: undefined },
      now,
    )
    expect(table.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['DEVICE', 'WORKLOAD', 'STATE', 'HEALTH', 'MODE', 'RUNS', 'STARTED', 'NEXT', 'MEMORY', 'REASON'],
      ['pi-1', 'web', 'running', 'healthy', 'forever', '1', '1m ago', '-', '12 MB'],
      ['pi-2 (offline)', 'job', 'backoff', '-', 'forever', '1', '1m ago', 'in 5s', '-', 'exited with 3'],
      [''],
    ])
  })

  test('as facts, without those that there are not', () => {
    const text = workloadDetails(on('pi-1', 'web', { failures: 2, run_count: 7, last_exit_code: 0 }), now)
    expect(text).toMatch(/^runs +7, the last 2 failed$/m)
    expect(text).toMatch(/^last exit code +0$/m)
    expect(text).not.toMatch(/health|last error|ended/)
    expect(reloadLines({ added: ['a', 'b'], removed: [], restarted: [], unchanged: ['c'] })).toBe(
      'added      a, b\nunchanged  1\n',
    )
  })
})

describe('followWorkload()', () => {
  /** A device with a log, of which pages are read and live lines may be lost. */
  const world = (tail = 50, loses: (topic: string) => boolean = () => false) => {
    const { bus } = memoryBus()
    const state = { records: [] as LogRecord[], first: 1, isOffline: false, journal: 'j' }
    const asked = serve(bus, ({ operation, input }) => {
      if (operation !== 'workload.logs') return undefined
      if (state.isOffline) return { ok: false, error: wireError('unavailable', 'pi is offline', [offline]) }
      const last = state.records.at(-1)?.[0] ?? 0
      const from = input['tail'] === undefined ? Number(input['after']) : last - Number(input['tail'])
      const records = state.records.filter(([seq]) => seq > from && seq >= state.first).slice(0, 20)
      const output = {
        workload: 'web',
        device: 'pi',
        records,
        next: records.at(-1)?.[0] ?? Math.max(0, from),
        first: state.first,
        last,
      }
      return { ok: true, output }
    })
    const { io, written } = recordingIo({ clock: fastClock })
    const got: number[] = []
    const client = clientOn(bus, where, io, 10_000)
    const done = followWorkload({
      ...{ client, io, device: 'pi', workload: 'web', tail, answerSeconds: 5 },
      onRecord: ([seq]) => got.push(seq),
    })
    let failure: unknown
    done.catch((error: unknown) => {
      failure = error
    })
    const topic = topicOf('default', 'deviceLog', { device: 'pi', source: 'web' })
    const write = (count: number) => {
      const at = (state.records.at(-1)?.[0] ?? 0) + 1
      const fresh = Array.from({ length: count }, (_, i): LogRecord => [at + i, 0, 'o', 'x'])
      state.records.push(...fresh)
      const head = { journal: state.journal, source: 'web', first: at, last: at + count - 1, lines: count, bytes: count }
      if (!loses(topic)) bus.publish(topic, JSON.stringify({ ...head, records: fresh }))
    }
    return { state, asked, written, got, write, failure: () => failure }
  }
  const holds = (claim: () => void) =>
    eventually('what is expected', () => {
      claim()
      return true
    })
  const offline = { field: 'device', code: 'offline', message: 'pi is offline' }
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  test('begins with the last lines, and gives what follows once and in order, whatever live lines are lost', async () => {
    let n = 0
    const { state, got, write, asked } = world(5, () => n++ % 3 === 1)
    state.records.push(...numbers(1, 30).map((seq): LogRecord => [seq, 0, 'o', 'x']))
    await holds(() => expect(got).toEqual(numbers(26, 30)))
    for (let i = 0; i < 30; i++) {
      write(3)
      await sleep(systemClock, 2)
    }
    await holds(() => expect(got).toEqual(numbers(26, 120)))
    expect(asked[0]?.input).toMatchObject({ tail: 5, follow_seconds: 60, timeout_seconds: 5 })
  })

  test('says every half minute that it still wants to hear, and so finds what nothing came behind', async () => {
    const { got, write, asked } = world(50, () => true)
    await holds(() => expect(asked.length).toBeGreaterThan(1))
    write(2)
    await holds(() => expect(got).toEqual([1, 2]))
    await holds(() => expect(asked.at(-1)?.input).toMatchObject({ after: 2, follow_seconds: 60 }))
  })

  test('reads what is long page by page, and says what the device keeps no more', async () => {
    const { state, asked, got, write, written } = world(0)
    await holds(() => expect(asked.length).toBeGreaterThan(1))
    write(1)
    await holds(() => expect(got).toEqual([1]))
    state.records.push(...numbers(2, 100).map((seq): LogRecord => [seq, 0, 'o', 'x']))
    state.first = 40
    write(1)
    await holds(() => expect(got).toEqual([1, ...numbers(40, 101)]))
    expect(written.err).toContain('38 records are missing here')
  })

  test('waits for a device that goes away, and goes on with one that has a new memory', async () => {
    const { state, got, write, written } = world()
    write(3)
    await holds(() => expect(got).toEqual([1, 2, 3]))
    state.isOffline = true
    await holds(() => expect(written.err).toContain('pi is offline; waiting for it'))
    Object.assign(state, { isOffline: false, records: [], journal: 'new' })
    write(2)
    await holds(() => expect(got).toEqual([1, 2, 3, 1, 2]))
    expect(written.err).toContain('answers again')
    expect(written.err).toContain('begins anew')
  })

  test('ends when there is no such workload', async () => {
    const { bus } = memoryBus()
    serve(bus, () => ({ ok: false, error: wireError('not_found', 'no such workload') }))
    const { io } = recordingIo({ clock: fastClock })
    const client = clientOn(bus, where, io, 10_000)
    const following = followWorkload({
      client,
      io,
      device: 'pi',
      workload: 'x',
      tail: 1,
      answerSeconds: 5,
      onRecord: () => undefined,
    })
    await expect(following).rejects.toMatchObject({ exitCode: 3, code: 'not_found' })
  })
})
