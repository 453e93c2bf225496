import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

const day = 86_400_000
/** Short enough to be lived through second by second. */
const age = 600_000
let desk: Desk
beforeEach(async () => {
  desk = await startDesk()
  await desk.hello('d1')
})
afterEach(() => desk.close())

/** A task that has run and ended, with a log of one line. */
const endedTask = async (more: Record<string, unknown> = {}): Promise<string> => {
  const id = await desk.submit({ target: { device: 'd1' }, ...more })
  await desk.advance(10)
  await desk.report('d1', `${id}-1`, 'running')
  await desk.chunk('d1', `${id}-1`, [[1, 5, 'o', 'a line']])
  await desk.report('d1', `${id}-1`, 'succeeded', {
    exit_code: 0,
    log: { last_seq: 1, lines: 1, bytes: 7, dropped_lines: 0, dropped_bytes: 0 },
  })
  await desk.advance(1000)
  return id
}
const prune = async (input: Record<string, unknown>, subject = 'admin') => {
  const outcome = await desk.ask('retention.prune', input, subject)
  await desk.advance(5000)
  return outcome
}
const rowsIn = (table: string): number =>
  Number(desk.store.db.prepare<[], { n: number }>(`select count(*) as n from ${table}`).get()?.n)

describe('retention.prune', () => {
  test('removes a task with its runs, notes, tags and log, and makes it known', async () => {
    const old = await endedTask({ tags: ['a', 'b'], idempotency_key: 'k' })
    await desk.advance(2 * age)
    await desk.hello('d1', { session: 2 })
    const young = await endedTask({ tags: ['c'] })
    const dry = outputOf(await prune({ older_than_seconds: age / 1000, dry_run: true }))
    expect(dry).toMatchObject({ tasks: 1, dry_run: true })
    expect(desk.store.tasks.get(old)).toBeDefined()
    expect(outputOf(await prune({ older_than_seconds: age / 1000 }))).toMatchObject({ tasks: 1 })
    expect(codeOf(await desk.ask('task.get', { task_id: old }))).toBe('not_found')
    expect(desk.task(young).state).toBe('succeeded')
    expect([rowsIn('task'), rowsIn('run'), rowsIn('task_tag')]).toEqual([1, 1, 1])
    expect(desk.store.logs.has(`${old}-1`)).toBe(false)
    expect(desk.store.logs.extent(`${old}-1`).last_seq).toBe(0)
    expect(desk.store.logs.has(`${young}-1`)).toBe(true)
    const audit = desk.wire.sent.filter((one) => one.topic.endsWith('/event/audit')).map((one) => JSON.parse(one.text)[0])
    expect(audit.at(-1)).toMatchObject({ type: 'skein.audit.pruned', data: { subject: 'admin', tasks: 1 } })
    // The key went with its task.
    expect(await desk.submit({ idempotency_key: 'k', payload: { command: ['false'] } })).not.toBe(old)
  })

  test('never touches what has not ended, nor a cancel that is not confirmed', async () => {
    const queued = await desk.submit({ target: { device: 'elsewhere' } })
    const running = await desk.submit({ target: { device: 'd1' } })
    const cancelled = await desk.submit({ target: { device: 'd1' } })
    await desk.advance(10)
    await desk.report('d1', `${running}-1`, 'running')
    await desk.report('d1', `${cancelled}-1`, 'running')
    await desk.ask('task.cancel', { task_id: cancelled })
    for (let i = 0; i < 8; i++) {
      await desk.beat('d1', [`${running}-1`, `${cancelled}-1`])
      await desk.advance(5000)
    }
    expect(desk.run(`${cancelled}-1`)).toMatchObject({ state: 'cancelled', confirmed: 0 })
    expect(outputOf(await prune({ older_than_seconds: 0 }))).toMatchObject({ tasks: 0 })
    expect([desk.task(queued).state, desk.task(running).state, desk.task(cancelled).state]).toEqual([
      'queued',
      'active',
      'cancelled',
    ])
    await desk.report('d1', `${cancelled}-1`, 'cancelled')
    await desk.advance(1000)
    expect(outputOf(await prune({ older_than_seconds: 0 }))).toMatchObject({ tasks: 1 })
    expect(desk.store.tasks.get(cancelled)).toBeUndefined()
  })

  test('is for admins', async () => {
    expect(codeOf(await prune({ older_than_seconds: 0 }, 'olga'))).toBe('forbidden')
    expect(codeOf(await prune({ older_than_seconds: -1 }))).toBe('invalid')
  })

  test('a wide fan-out goes in several slices', async () => {
    for (let i = 0; i < 300; i++) await desk.hello(`w${i}`, { labels: { wide: 'yes' } })
    const id = await desk.submit({ target: { selector: 'wide=yes', fanout: 'all' } })
    await desk.advance(10)
    for (const { device, run_id } of desk.store.runs.ofTask(id)) await desk.report(device, run_id, 'succeeded', { exit_code: 0 })
    expect([desk.task(id).state, rowsIn('run')]).toEqual(['succeeded', 300])
    await desk.advance(1000)
    await prune({ older_than_seconds: 0 })
    expect([rowsIn('task'), rowsIn('run')]).toEqual([0, 0])
  })
})

describe('retention by itself', () => {
  const restart = async (policy: object): Promise<void> => {
    await desk.close()
    const { time, wire, store } = desk
    desk = await startDesk({
      time,
      wire,
      store,
      retention: { taskAgeMs: 1e15, taskCount: 1e9, logAgeMs: 1e15, logBytes: 1e12, ...policy },
    })
    await desk.hello('d1', { session: desk.time.now() })
  }

  test('removes by age', async () => {
    const old = await endedTask()
    await restart({ taskAgeMs: age })
    await desk.advance(age / 2)
    expect(desk.store.tasks.get(old)).toBeDefined()
    await desk.advance(age / 2 + 120_000)
    expect(desk.store.tasks.get(old)).toBeUndefined()
  })

  test('removes the oldest beyond a number', async () => {
    const ids = [await endedTask(), await endedTask(), await endedTask(), await endedTask()]
    await restart({ taskCount: 2 })
    await desk.advance(125_000)
    expect(ids.map((id) => desk.store.tasks.get(id) !== undefined)).toEqual([false, false, true, true])
  })

  test('removes logs earlier than their tasks; where they were there is a hole, and the log is complete', async () => {
    const id = await endedTask()
    await restart({ logAgeMs: age })
    await desk.advance(age + 120_000)
    const log = outputOf(await desk.ask('task.logs', { task_id: id }))
    expect(log).toMatchObject({ complete: true, next: 1 })
    expect(log['records']).toMatchObject([
      [1, expect.any(Number), 's', { dropped: { from: 1, to: 1, lines: 1, reason: 'retention' } }],
    ])
    expect(outputOf(await desk.ask('task.logs', { task_id: id, after: 1 }))).toMatchObject({ records: [], complete: true })
  })

  test('removes the oldest logs beyond a size', async () => {
    const ids = [await endedTask(), await endedTask()]
    for (const id of ids) expect(desk.store.logs.has(`${id}-1`)).toBe(true)
    await restart({ logBytes: 1 })
    await desk.advance(125_000)
    for (const id of ids) expect([desk.store.logs.has(`${id}-1`), desk.task(id).state]).toEqual([false, 'succeeded'])
  })

  test('forgets tokens that expired long ago', async () => {
    const row = { subject: 'x', role: 'viewer', hash: '', created_at: 0, revoked_at: 5, last_used_at: null, key: 'k' }
    desk.store.tokens.put({ ...row, jti: 'long-ago', expires_at: desk.clock.now() - 31 * day })
    desk.store.tokens.put({ ...row, jti: 'lately', expires_at: desk.clock.now() - 29 * day })
    await restart({})
    await desk.advance(65_000)
    expect([desk.store.tokens.get('long-ago'), desk.store.tokens.get('lately')?.jti]).toEqual([undefined, 'lately'])
  })
})
