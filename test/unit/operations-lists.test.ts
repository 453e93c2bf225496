import { describe, expect, test } from 'vitest'
import { instant } from '../../schemas/ids.ts'
import { maxMessageBytes, Reply } from '../../schemas/request.ts'
import { topicOf } from '../../schemas/topics.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

const list = async (desk: Desk, input: Record<string, unknown> = {}): Promise<string[]> => {
  const { tasks } = outputOf(await desk.ask('task.list', input)) as { tasks: { task_id: string }[] }
  return tasks.map((one) => one.task_id)
}

/** Follows the cursor to the end. */
const pages = async (desk: Desk, operation: string, input: Record<string, unknown>, field: string, id: string) => {
  const found: string[][] = []
  for (let cursor: unknown; ; ) {
    const output = outputOf(await desk.ask(operation, cursor ? { ...input, cursor } : input))
    found.push((output[field] as Record<string, string>[]).map((one) => one[id] ?? ''))
    cursor = output['cursor']
    if (cursor === null) return found
    if (found.length > 100) throw new Error('the cursor never ends')
  }
}

describe('task.list', () => {
  test('pages newest first; each task once, also when others come meanwhile', async () => {
    const desk = await startDesk()
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.unshift(await desk.submit())
    expect(await pages(desk, 'task.list', { limit: 3 }, 'tasks', 'task_id')).toEqual([
      ids.slice(0, 3),
      ids.slice(3, 6),
      ids.slice(6),
    ])
    expect(await pages(desk, 'task.list', { limit: 7 }, 'tasks', 'task_id')).toEqual([ids])
    const first = outputOf(await desk.ask('task.list', { limit: 3 }))
    await desk.submit()
    expect(await list(desk, { limit: 3, cursor: first['cursor'] })).toEqual(ids.slice(3, 6))
  })

  test('a page fits in a message, however large its tasks are, and goes on with its cursor', async () => {
    const desk = await startDesk()
    const ids: string[] = []
    for (let i = 0; i < 6; i++) ids.unshift(await desk.submit({ metadata: { text: '€'.repeat(18_000) } }))
    const found = await pages(desk, 'task.list', { limit: 50 }, 'tasks', 'task_id')
    expect(found.flat()).toEqual(ids)
    expect(found.length).toBeGreaterThan(1)
    const topic = topicOf('default', 'request', { client: 'admin', operation: 'task/list' })
    await desk.say(topic, { id: 'x', input: { limit: '50' } })
    const reply = desk.wire.sent.filter((one) => one.topic.includes('/reply/admin')).at(-1)
    expect(Reply.parse(JSON.parse(reply?.text ?? '')).ok).toBe(true)
    expect(reply?.bytes).toBeLessThan(maxMessageBytes)
  })

  test('every filter takes its own and leaves the rest, alone and together', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const plain = await desk.submit({ target: { device: 'd9' } })
    await desk.advance(60_000)
    await desk.beat('d1')
    const since = instant(desk.clock.now())
    const rich = {
      type: 'build',
      priority: 'high',
      source: 'ci',
      tags: ['a', 'b'],
      target: { device: 'd1', repository: 'git@x:y.git' },
    }
    const found = await desk.submit(rich, 'olga')
    await desk.advance(60_000)
    const until = instant(desk.clock.now())
    const last = await desk.submit({ type: 'test', target: { device: 'd9' } })
    for (const filter of [
      { state: 'active' },
      { state: ['active', 'failed'] },
      { type: 'build' },
      { type: 'build,deploy' },
      { priority: 'critical,high' },
      { source: 'ci' },
      { requested_by: 'olga' },
      { tag: 'b' },
      { device: 'd1' },
      { repository: 'git@x:y.git' },
      { since, until },
      { since, until, state: 'active', tag: 'a', type: 'build', requested_by: 'olga' },
    ])
      expect([filter, await list(desk, filter)]).toEqual([filter, [found]])
    expect(await list(desk, { since })).toEqual([last, found])
    expect(await list(desk, { until })).toEqual([found, plain])
    expect(await list(desk, { tag: 'a', type: 'test' })).toEqual([])
    expect(await list(desk, { source: "ci' or '1'='1" })).toEqual([])
  })

  test('wrong filters and cursors are refused with their field', async () => {
    const desk = await startDesk()
    await desk.submit()
    for (const [input, field] of [
      [{ state: 'qeued' }, 'state.0'],
      [{ limit: 0 }, 'limit'],
      [{ limit: 1001 }, 'limit'],
      [{ limit: 'many' }, 'limit'],
      [{ since: 'yesterday' }, 'since'],
      [{ stat: 'queued' }, 'stat'],
      [{ cursor: 'abc' }, 'cursor'],
      [{ cursor: '' }, 'cursor'],
      [{ cursor: '-3' }, 'cursor'],
      [{ cursor: '1.5' }, 'cursor'],
      [{ cursor: '0x10' }, 'cursor'],
    ] as const) {
      const outcome = await desk.ask('task.list', input)
      expect([input, outcome.ok ? 'ok' : outcome.error.details?.[0]?.field]).toEqual([input, field])
    }
  })
})

describe('device.list', () => {
  const names = async (desk: Desk, input: Record<string, unknown> = {}) =>
    (outputOf(await desk.ask('device.list', input)) as { devices: { device: string }[] }).devices.map((one) => one.device)

  test('newest first, in pages, by selector and by state', async () => {
    const desk = await startDesk()
    for (const [i, name] of ['d1', 'd2', 'd3'].entries()) {
      await desk.hello(name, { labels: i === 1 ? { region: 'us' } : { region: 'eu', gpu: '' } })
      await desk.advance(1000)
    }
    expect(await names(desk)).toEqual(['d3', 'd2', 'd1'])
    expect(await pages(desk, 'device.list', { limit: 2 }, 'devices', 'device')).toEqual([['d3', 'd2'], ['d1']])
    expect(await names(desk, { selector: 'region in (eu),gpu' })).toEqual(['d3', 'd1'])
    expect(await names(desk, { selector: 'region!=eu' })).toEqual(['d2'])
    expect(await names(desk, { selector: '' })).toEqual(['d3', 'd2', 'd1'])
    await desk.say(topicOf('default', 'deviceState', { device: 'd2' }), { state: 'offline', session: 1, at: instant(0) })
    expect(await names(desk, { state: 'offline' })).toEqual(['d2'])
    expect(await names(desk, { state: 'online,stale' })).toEqual(['d3', 'd1'])
    await desk.advance(95_000)
    expect(await names(desk, { state: 'stale' })).toEqual(['d3', 'd1'])
  })

  test('a selector or a cursor that cannot be read is refused with its field', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    for (const [input, field] of [
      [{ selector: 'a==b==c' }, 'selector'],
      [{ cursor: '-1' }, 'cursor'],
      [{ cursor: '' }, 'cursor'],
      [{ state: 'gone' }, 'state.0'],
    ] as const) {
      const outcome = await desk.ask('device.list', input)
      expect([codeOf(outcome), outcome.ok ? '' : outcome.error.details?.[0]?.field]).toEqual(['invalid', field])
    }
  })
})

describe('task.logs', () => {
  const logs = async (desk: Desk, id: string, more: Record<string, unknown> = {}) => {
    const { records, ...rest } = outputOf(await desk.ask('task.logs', { task_id: id, ...more }))
    return { ...rest, seqs: (records as unknown[][]).map((one) => one[0]) }
  }
  const lines = (from: number, to: number, text = 'x') =>
    Array.from({ length: to - from + 1 }, (_, i) => [from + i, 1, 'o', text] as const)
  const log = (last: number) => ({ last_seq: last, lines: last, bytes: 10, dropped_lines: 0, dropped_bytes: 0 })

  test('reads ranges; it is complete when the run has ended and all of it is read', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    expect(await logs(desk, id)).toMatchObject({ run: `${id}-1`, device: 'd1', seqs: [], next: 0, complete: false })
    await desk.chunk('d1', `${id}-1`, lines(1, 5))
    expect(await logs(desk, id, { limit: 2 })).toMatchObject({ seqs: [1, 2], next: 2, complete: false })
    expect(await logs(desk, id, { after: 2 })).toMatchObject({ seqs: [3, 4, 5], next: 5, complete: false })
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0, log: log(6) })
    expect(await logs(desk, id, { after: 5 })).toMatchObject({ seqs: [], next: 5, complete: false })
    await desk.chunk('d1', `${id}-1`, lines(6, 6))
    expect(await logs(desk, id, { after: '5' })).toMatchObject({ seqs: [6], next: 6, complete: true })
    expect(await logs(desk, id, { after: 3, limit: 2 })).toMatchObject({ seqs: [4, 5], complete: false })
    expect(await logs(desk, id, { after: 1, before: '4' })).toMatchObject({ seqs: [2, 3], next: 3, complete: true })
    expect(await logs(desk, id, { before: 4, limit: 2 })).toMatchObject({ seqs: [1, 2], complete: false })
    expect(codeOf(await desk.ask('task.logs', { task_id: id, before: 0 }))).toBe('invalid')
  })

  test('chunks that come twice, late or with a gap leave a log without holes or doubles', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    for (const [from, to] of [
      [1, 2],
      [4, 5],
      [1, 2],
      [2, 4],
      [3, 5],
      [1, 1],
      [5, 6],
    ] as const)
      await desk.chunk('d1', `${id}-1`, lines(from, to))
    expect((await logs(desk, id)).seqs).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('a page fits in a message, also when its text is not ASCII', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    for (let i = 0; i < 20; i++) await desk.chunk('d1', `${id}-1`, lines(i * 2 + 1, i * 2 + 2, '€'.repeat(5400)))
    const output = outputOf(await desk.ask('task.logs', { task_id: id, limit: 10_000 }))
    expect(Buffer.byteLength(JSON.stringify(output))).toBeLessThan(maxMessageBytes)
    expect((output['records'] as unknown[]).length).toBeGreaterThan(3)
  })

  test('what a lost memory still had is shown as a hole, counted, and the log is complete', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    await desk.chunk('d1', `${id}-1`, lines(1, 2), { bytes: 4 })
    await desk.report('d1', `${id}-1`, 'failed', { exit_code: 1, log: log(5) })
    await desk.hello('d1', { journal: 'new', session: 2 })
    const output = outputOf(await desk.ask('task.logs', { task_id: id }))
    expect((output['records'] as unknown[][]).at(-1)?.[3]).toEqual({
      dropped: { from: 3, to: 5, lines: 3, bytes: 6, reason: 'journal_lost' },
    })
    expect(output).toMatchObject({ next: 5, complete: true })
    expect(await logs(desk, id, { before: 3 })).toMatchObject({ seqs: [1, 2], complete: true })
    expect(await logs(desk, id, { before: 4 })).toMatchObject({ seqs: [1, 2, 5], complete: true })
  })

  test('a task that ended without a run has a complete, empty log; a run of another task is not found', async () => {
    const desk = await startDesk()
    const id = await desk.submit()
    expect(await logs(desk, id)).toMatchObject({ run: null, complete: false })
    await desk.ask('task.cancel', { task_id: id })
    expect(await logs(desk, id)).toMatchObject({ run: null, seqs: [], complete: true })
    expect(codeOf(await desk.ask('task.logs', { task_id: id, run: 'other-1' }))).toBe('not_found')
  })
})
