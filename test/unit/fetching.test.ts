import { describe, expect, test } from 'vitest'
import { openStore } from '../../controller/store/store.ts'
import { commandBodies } from '../../schemas/exchange.ts'
import { operations } from '../../schemas/operations.ts'
import { createTime } from '../simulation/sim-clock.ts'
import { createWire, type Desk, outputOf, startDesk } from './desk.ts'

type Line = readonly [number, number, string, unknown]
const lines = (first: number, last: number): Line[] =>
  Array.from({ length: last - first + 1 }, (_, i) => [first + i, (first + i) * 1000, 'o', `line ${first + i}`] as const)
const logOf = (last_seq: number) => ({ last_seq, lines: last_seq, bytes: last_seq * 10, dropped_lines: 0, dropped_bytes: 0 })

/** A run that wrote so many lines, all of them stored and acknowledged; it has ended unless said otherwise. */
const runOf = async (desk: Desk, count: number, isOver = true): Promise<{ id: string; run: string }> => {
  await desk.hello('d1')
  const id = await desk.submit()
  const run = `${id}-1`
  await desk.report('d1', run, 'accepted')
  await desk.report('d1', run, 'running')
  await desk.chunk('d1', run, lines(1, count))
  if (isOver) await desk.report('d1', run, 'succeeded', { exit_code: 0, log: logOf(count) })
  await desk.advance(11_000)
  return { id, run }
}
const loseLogs = (desk: Desk): void => {
  desk.store.logDb.exec('delete from chunk; delete from log')
}
const read = async (desk: Desk, id: string, more = {}) => {
  const page = operations['task.logs'].output.parse(outputOf(await desk.ask('task.logs', { task_id: id, ...more })))
  return { ...page, texts: page.records.map(([seq, , , text]) => (typeof text === 'string' ? text : [seq, text])) }
}
/** What the device was asked for, each time. */
const wanted = (desk: Desk) =>
  desk.commands('d1', 'ack').flatMap(({ body }) => {
    const { wanted } = commandBodies.ack.parse(body)
    return wanted ? [wanted] : []
  })
const texts = (first: number, last: number): unknown[] => lines(first, last).map((line) => line[3])
const hole = (from: number, to: number, reason: string) => [to, { dropped: expect.objectContaining({ from, to, reason }) }]

describe('a log that was lost', () => {
  test('is asked for by who reads it, once at a time, part after part, and then is there', async () => {
    const desk = await startDesk()
    const { id, run } = await runOf(desk, 9)
    loseLogs(desk)
    for (let i = 0; i < 3; i++) expect(await read(desk, id)).toMatchObject({ records: [], fetching: true, complete: false })
    expect(wanted(desk)).toEqual([{ [`log:${run}`]: [[1, 9]] }])
    await desk.chunk('d1', run, lines(1, 4), { again: 'more', acked: 9 })
    await desk.chunk('d1', run, lines(5, 6), { again: 'end', acked: 9 })
    expect(wanted(desk).at(-1)).toEqual({ [`log:${run}`]: [[7, 9]] })
    await desk.chunk('d1', run, lines(7, 9), { again: 'end', acked: 9 })
    const page = await read(desk, id)
    expect([page.texts, page.complete, page.fetching]).toEqual([texts(1, 9), true, undefined])
    await desk.advance(200_000)
    expect(wanted(desk).length).toBe(2)
  })

  test('is a hole where it is missing, at once, while the rest is there; an answer that gets lost is asked for again', async () => {
    const desk = await startDesk()
    const { id, run } = await runOf(desk, 5, false)
    loseLogs(desk)
    await desk.chunk('d1', run, lines(6, 8), { acked: 5 })
    // Nobody had to read it: what came told of the hole.
    expect(wanted(desk)).toEqual([{ [`log:${run}`]: [[1, 5]] }])
    expect(await read(desk, id)).toMatchObject({
      texts: [hole(1, 5, 'missing'), ...texts(6, 8)],
      fetching: true,
      complete: false,
    })
    await desk.advance(11_000)
    expect(wanted(desk).length).toBe(2)
    await desk.chunk('d1', run, [[5, 0, 's', { dropped: { from: 1, to: 5, lines: 5, bytes: 0, reason: 'not_kept' } }]], {
      first: 1,
      again: 'end',
    })
    await desk.report('d1', run, 'succeeded', { exit_code: 0, log: logOf(8) })
    const page = await read(desk, id)
    expect([page.texts, page.complete, page.fetching]).toEqual([[hole(1, 5, 'not_kept'), ...texts(6, 8)], true, undefined])
  })

  test('is asked for when a hello shows that more was acknowledged than is here', async () => {
    const desk = await startDesk()
    const { run } = await runOf(desk, 5, false)
    loseLogs(desk)
    const streams = { streams: { [`log:${run}`]: 7 }, acked: { [`log:${run}`]: 5, 'log:another': 5 } }
    await desk.hello('d1', { session: 2, ...streams, runs: [{ run, state: 'running' }] })
    expect(wanted(desk)).toEqual([{ [`log:${run}`]: [[1, 5]] }])
  })

  test('of a device that is away or gone shows the hole, and that nothing comes', async () => {
    const time = createTime()
    const wire = createWire(time)
    const store = openStore(':memory:', ':memory:')
    const before = await startDesk({ time, wire, store })
    const { id } = await runOf(before, 5)
    await before.close()
    store.logDb.exec('delete from chunk; delete from log')
    const desk = await startDesk({ time, wire, store })
    // A controller that has just started waits for its devices.
    expect(await read(desk, id)).toMatchObject({ records: [], complete: false })
    await desk.advance(60_000)
    const page = await read(desk, id)
    expect([page.texts, page.complete, page.next]).toEqual([[hole(1, 5, 'missing')], true, 5])
    expect((await read(desk, id, { after: 5 })).records).toEqual([])
    await desk.hello('d1', { journal: 'new', session: 2 })
    expect(await read(desk, id)).toMatchObject({ texts: [hole(1, 5, 'journal_lost')], complete: true })
    expect(wanted(desk)).toEqual([])
  })

  test('the end of a log that is only late is on its way, and is not asked for', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    const run = `${id}-1`
    await desk.report('d1', run, 'succeeded', { exit_code: 0, log: logOf(2) })
    const page = await read(desk, id)
    expect([page.records, page.complete, page.fetching]).toEqual([[], false, true])
    await desk.chunk('d1', run, lines(1, 2))
    expect(await read(desk, id)).toMatchObject({ texts: texts(1, 2), complete: true })
    expect(wanted(desk)).toEqual([])
  })
})
