import { describe, expect, test } from 'vitest'
import { type Clock, sleep, systemClock } from '../../base/clock.ts'
import { clientOn } from '../../controller/cli/client.ts'
import { unanswered } from '../../controller/cli/exit.ts'
import { followTask, runsInTurn } from '../../controller/cli/follow.ts'
import { wireError } from '../../schemas/errors.ts'
import type { LogRecord } from '../../schemas/log.ts'
import { topicOf } from '../../schemas/topics.ts'
import { recordingIo } from './cli-io.ts'
import { memoryBus, serve, where } from './memory-bus.ts'

/** Ten seconds in one. */
const fastClock: Clock = {
  ...systemClock,
  mono: () => systemClock.mono() * 10,
  after: (ms, call) => systemClock.after(ms / 10, call),
}
const fastIo = () => recordingIo({ clock: fastClock })

const at = '2026-01-01T00:00:00.000Z'
const runOf = (attempt: number, over: object = {}) => ({
  run_id: `t-${attempt}`,
  task_id: 't',
  attempt,
  device: 'pi',
  state: 'running',
  reason: null,
  exit_code: null,
  signal: null,
  dispatched_at: at,
  accepted_at: at,
  started_at: at,
  ended_at: null,
  cancel_requested_at: null,
  confirmed: null,
  log: null,
  late: null,
  ...over,
})
const taskOf = (state: string, runs: object[] = []) => ({
  task_id: 't',
  state,
  reason: null,
  device: 'pi',
  attempt: runs.length,
  exit_code: null,
  requested_by: 'ann',
  created_at: at,
  started_at: at,
  ended_at: null,
  cancel_requested_at: null,
  payload: { command: 'x' },
  runs,
  history: [],
})
const status = { version: '1', fleet: 'default', epoch: 1, tasks: {}, devices: {}, queue: { depth: 0, oldest_seconds: null } }

describe('client', () => {
  test('repeats the same request until it is answered', async () => {
    const { bus } = memoryBus()
    const seen = serve(bus, () => (seen.length < 3 ? undefined : { ok: true, output: status }))
    const client = clientOn(bus, where, fastIo().io, 5000)
    expect(await client.ask('system.status', {})).toMatchObject({ ok: true, output: { epoch: 1 } })
    expect(new Set(seen.map((one) => one.id)).size).toBe(1)
    expect(seen[0]?.replyTo).toMatch(/^skein\/v1\/default\/reply\/ann\/cli-[a-z0-9]+$/)
  })

  test('asks again as soon as there is a connection', async () => {
    const { bus, connect } = memoryBus()
    serve(bus, () => ({ ok: true, output: status }))
    connect(false)
    const client = clientOn(bus, where, fastIo().io, 5000)
    const asked = client.ask('system.status', {})
    connect(true)
    expect(await asked).toMatchObject({ ok: true })
  })

  test('fails as not reachable when nobody answers in time, and says which part is missing', async () => {
    const { bus, connect } = memoryBus()
    const client = clientOn(bus, where, fastIo().io, 300)
    await expect(client.ask('system.status', {})).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('no controller'),
    })
    connect(false)
    await expect(client.ask('system.status', {})).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('Cannot reach the broker'),
    })
  })

  test('asks again what could not be stored, and gives the refusal when time is over', async () => {
    const { bus } = memoryBus()
    const seen = serve(bus, () => ({ ok: false, error: wireError('unavailable', 'the disk is full') }))
    const client = clientOn(bus, where, fastIo().io, 700)
    expect(await client.ask('system.status', {})).toMatchObject({ ok: false, error: { code: 'unavailable' } })
    expect(seen.length).toBeGreaterThan(1)
  })

  test('what was refused because of a device is told at once', async () => {
    const { bus } = memoryBus()
    const error = { ...wireError('unavailable', 'it is offline'), details: [{ field: 'device', code: 'offline', message: 'x' }] }
    const seen = serve(bus, () => ({ ok: false, error }))
    expect(await clientOn(bus, where, fastIo().io, 5000).ask('system.status', {})).toMatchObject({ ok: false, error })
    expect(seen).toHaveLength(1)
  })

  test('says of what it could not deliver whether it may be done all the same', async () => {
    const { bus, connect } = memoryBus()
    const client = clientOn(bus, where, fastIo().io, 300)
    await expect(client.ask('system.status', {})).rejects.toMatchObject({ mayBeDone: true })
    connect(false)
    await expect(client.ask('system.status', {})).rejects.toMatchObject({ mayBeDone: false })
    const hinted = unanswered('it may be done')
    await expect(client.ask('system.status', {}).catch(hinted)).rejects.toThrow(/^Cannot reach the broker(?!.*may be done)/)
    connect(true)
    await expect(client.ask('system.status', {}).catch(hinted)).rejects.toThrow(/; it may be done$/)
  })

  test('does not believe an answer that the table does not promise', async () => {
    const { bus } = memoryBus()
    serve(bus, () => ({ ok: true, output: { nothing: 1 } }))
    const client = clientOn(bus, where, fastIo().io, 1000)
    expect(await client.ask('system.status', {})).toMatchObject({ ok: false, error: { code: 'internal' } })
  })

  test('refuses by itself what no message can carry', async () => {
    const client = clientOn(memoryBus().bus, where, fastIo().io, 1000)
    expect(await client.ask('task.submit', { metadata: 'x'.repeat(200_000) })).toMatchObject({
      ok: false,
      error: { code: 'too_large' },
    })
  })
})

describe('followTask()', () => {
  /** A device that writes a log in pieces, pushes of which some are lost, and a controller that has what has arrived so far. */
  const world = (loses: () => boolean) => {
    const { bus } = memoryBus(loses)
    const logs = new Map<string, LogRecord[]>()
    let task = taskOf('active', [runOf(1)])
    const over = new Set<string>()
    serve(bus, ({ operation, input }) => {
      if (operation === 'task.get') return { ok: true, output: task }
      const log = logs.get(String(input['run'])) ?? []
      const records = log.filter(([seq]) => seq > Number(input['after'])).slice(0, 7)
      const next = records.at(-1)?.[0] ?? Number(input['after'])
      return {
        ok: true,
        output: {
          run: input['run'],
          device: 'pi',
          records,
          next,
          complete: over.has(String(input['run'])) && next >= log.length,
        },
      }
    })
    const { io, written } = fastIo()
    const client = clientOn(bus, where, io, 10_000)
    const records: string[] = []
    const following = followTask({ client, io, taskId: 't', onRecord: (record) => records.push(`${String(record[3])}`) })
    const write = (run: string, count: number) => {
      const log = logs.get(run) ?? []
      const fresh = Array.from(
        { length: count },
        (_, i): LogRecord => [log.length + i + 1, 0, 'o', `${run}:${log.length + i + 1}`],
      )
      logs.set(run, [...log, ...fresh])
      bus.publish(
        topicOf('default', 'deviceLog', { device: 'pi', source: run }),
        JSON.stringify({
          journal: 'j',
          source: run,
          first: fresh[0]?.[0],
          last: fresh.at(-1)?.[0],
          lines: count,
          bytes: 1,
          records: fresh,
        }),
      )
    }
    return {
      write,
      following,
      records,
      written,
      over,
      become: (next: typeof task) => {
        task = next
        following.tell(next)
      },
    }
  }
  const expected = (run: string, count: number) => Array.from({ length: count }, (_, i) => `${run}:${i + 1}`)

  test('writes every record of every attempt once and in order, whatever pushes are lost', async () => {
    let n = 0
    const { write, following, records, become, over } = world(() => n++ % 3 === 2)
    for (let i = 0; i < 10; i++) {
      write('t-1', 5)
      await sleep(systemClock, 5)
    }
    // The second attempt begins to write while the first one's log is still on its way.
    become(taskOf('active', [runOf(1, { state: 'failed', exit_code: 1 }), runOf(2)]))
    write('t-2', 4)
    write('t-1', 3)
    over.add('t-1')
    await sleep(systemClock, 20)
    write('t-2', 4)
    over.add('t-2')
    become(taskOf('succeeded', [runOf(1, { state: 'failed', exit_code: 1 }), runOf(2, { state: 'succeeded', exit_code: 0 })]))
    expect(await following.done).toMatchObject({ state: 'succeeded' })
    expect(records).toEqual([...expected('t-1', 53), ...expected('t-2', 8)])
  })

  test('ends with the last number that the run has told, complete or not', async () => {
    const { write, following, records, become } = world(() => false)
    const log = { last_seq: 9, lines: 9, bytes: 9, dropped_lines: 0, dropped_bytes: 0 }
    become(taskOf('succeeded', [runOf(1, { state: 'succeeded', exit_code: 0, log })]))
    await sleep(systemClock, 20)
    write('t-1', 9)
    await following.done
    expect(records).toEqual(expected('t-1', 9))
  })

  test('does not wait for ever for the log of a run that was lost', async () => {
    const { following, become, written } = world(() => false)
    become(taskOf('lost', [runOf(1, { state: 'lost' })]))
    expect(await following.done).toMatchObject({ state: 'lost' })
    expect(written.err).toContain('the rest of the output of t-1 has not arrived')
  })

  test('ends at once with a task that never ran', async () => {
    const { following, become } = world(() => false)
    become(taskOf('cancelled'))
    expect(await following.done).toMatchObject({ state: 'cancelled' })
  })

  test('runsInTurn() follows attempts one after the other, and the devices of a fan-out at once', () => {
    const runs = [runOf(2, { device: 'a' }), runOf(1, { device: 'a' }), { ...runOf(3), run_id: 'b-1', attempt: 1, device: 'b' }]
    const ids = (isFanout: boolean, done: string[]) =>
      runsInTurn(runs, isFanout, (run) => done.includes(run)).map((run) => run.run_id)
    expect(ids(false, [])).toEqual(['t-1'])
    expect(ids(true, [])).toEqual(['t-1', 'b-1'])
    expect(ids(true, ['t-1'])).toEqual(['t-1', 't-2', 'b-1'])
    expect(ids(false, ['t-1', 'b-1'])).toEqual(['t-1', 'b-1', 't-2'])
  })
})
