import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../device/journal.ts'
import { createReturns, type Returned } from '../../device/logs/returns.ts'
import { createShelf } from '../../device/logs/shelf.ts'
import { newRow } from '../../device/run-rows.ts'
import { createSender } from '../../device/sender.ts'
import { LogChunk } from '../../schemas/exchange.ts'
import { LogRecord } from '../../schemas/log.ts'
import { clockOf, createTime, type Time } from '../simulation/sim-clock.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'
import { createWire } from './desk.ts'

const hour = 3_600_000

let time: Time
let journal: Journal
let spool: ReturnType<typeof createSimSegments>
let budget: number
beforeEach(() => {
  time = createTime()
  journal = openJournal(':memory:')
  spool = createSimSegments(time.now)
  budget = 1e9
})
afterEach(() => journal.close())

const openShelf = () => {
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const rest = { changed: () => {}, budget: () => budget, report: (error: unknown) => Promise.reject(error) }
  return createShelf({ segments: spool.segments, journal, clock, now: clock.now, ...rest })
}
const live = (ms: number): void => {
  const until = time.now() + ms
  while (time.step(until));
}
/** A run of so many lines, ended and acknowledged. */
const settled = (shelf: ReturnType<typeof openShelf>, run: string, lines: number): void => {
  const options = {}
  const order = { run, task: run, attempt: 1, payload: { command: 'true' }, options }
  const row = newRow({ run, order, state: 'accepted', boot: 'b', now: time.now(), heardMono: 0 })
  journal.insertRun({ ...row, state: 'succeeded', ended_at: time.now(), log_seq: lines })
  const log = shelf.open(run, options)
  for (let i = 1; i <= lines; i++) log.push('o', Buffer.from(`${run} ${i} ${'x'.repeat(90)}\n`))
  shelf.acknowledge(run, lines)
  shelf.settled(run)
}
const drain = (returns: ReturnType<typeof createReturns>): Returned[] => {
  const all: Returned[] = []
  for (let one = returns.next(); one; one = returns.next()) all.push(one)
  return all
}
const recordsOf = (parts: readonly Returned[]): LogRecord[] =>
  parts.flatMap(({ chunk }) => (JSON.parse(chunk.body) as unknown[]).map((one) => LogRecord.parse(one)))

describe('createReturns()', () => {
  test('gives back what is wanted of a log that was acknowledged, the same records, after a restart too', () => {
    const shelf = openShelf()
    const log = shelf.open('r-1', {})
    log.push('o', Buffer.from('one\ntwo\n'))
    const sent = log.after(0)?.body
    shelf.acknowledge('r-1', 2)
    const returns = createReturns(shelf, 1e6)
    returns.want('r-1', [[1, 2]])
    expect(drain(returns)).toEqual([
      { run: 'r-1', chunk: expect.objectContaining({ first: 1, last: 2, body: sent }), isLast: true },
    ])

    settled(shelf, 'r-2', 3000)
    shelf.release()
    const later = openShelf()
    later.recover((run) => (run === 'r-2' ? null : {}))
    const again = createReturns(later, 1e6)
    again.want('r-2', [
      [10, 1500],
      [2990, 3000],
    ])
    const parts = drain(again)
    expect(parts.map((one) => one.isLast)).toEqual([...parts.slice(1).map(() => false), true])
    const seqs = new Set(recordsOf(parts).map((record) => record[0]))
    for (const seq of [10, 1500, 2990, 3000]) expect(seqs.has(seq)).toBe(true)
    expect(recordsOf(parts).find((record) => record[0] === 10)?.[3]).toMatch(/^r-2 10 x/)
    expect(seqs.has(9)).toBe(false)
  })

  test('an answer ends at its bound; what is not acknowledged is on its way in any case', () => {
    const shelf = openShelf()
    settled(shelf, 'r-1', 5000)
    const returns = createReturns(shelf, 100_000)
    returns.want('r-1', [[1, 5000]])
    const parts = drain(returns)
    expect(parts.at(-1)).toMatchObject({ isLast: true })
    expect(parts.at(-1)?.chunk.last).toBeLessThan(2500)

    shelf.open('r-2', {}).push('o', Buffer.from('a\nb\nc\n'))
    returns.want('r-2', [[1, 3]])
    expect(drain(returns)).toEqual([])
    shelf.acknowledge('r-2', 2)
    returns.want('r-2', [[1, 3]])
    expect(drain(returns)[0]).toMatchObject({ isLast: true, chunk: { first: 1 } })
  })

  test('what is not here any more is a record that says so', () => {
    const shelf = openShelf()
    const returns = createReturns(shelf, 1e6)
    returns.want('gone-1', [[3, 7]])
    expect(recordsOf(drain(returns))).toEqual([
      [7, 0, 's', { dropped: { from: 3, to: 7, lines: 5, bytes: 0, reason: 'not_kept' } }],
    ])

    settled(shelf, 'r-1', 10)
    returns.want('r-1', [[5, 20]])
    const parts = drain(returns)
    expect(recordsOf(parts).map((record) => record[0])).toEqual([5, 6, 7, 8, 9, 10, 20])
    expect(parts.map((one) => one.isLast)).toEqual([false, true])
  })
})

describe('createShelf()', () => {
  test('keeps what was acknowledged for 24 hours, as far as the budget goes; the oldest goes first', () => {
    const shelf = openShelf()
    settled(shelf, 'r-1', 100)
    live(hour)
    settled(shelf, 'r-2', 100)
    expect([shelf.lookUp('r-1'), shelf.lookUp('r-2')].map((log) => log?.last())).toEqual([100, 100])
    budget = spool.segments.list().reduce((sum, one) => sum + one.size, 0) - 1
    shelf.tidy()
    expect([shelf.lookUp('r-1'), shelf.lookUp('r-2')].map((log) => log?.last())).toEqual([undefined, 100])
    live(23.9 * hour)
    shelf.tidy()
    expect(shelf.lookUp('r-2')?.last()).toBe(100)
    live(0.2 * hour)
    shelf.tidy()
    expect(shelf.lookUp('r-2')).toBeUndefined()
    expect(spool.segments.list()).toEqual([])
  })
})

describe('createSender()', () => {
  test('sends what is wanted again after what is new, marked, and is not disturbed by it', () => {
    const shelf = openShelf()
    settled(shelf, 'r-1', 2000)
    const wire = createWire(time)
    const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
    const sender = createSender({
      fleet: 'default',
      device: 'd1',
      bus: wire.open(),
      journal,
      shelf,
      clock,
      boot: 'b',
      session: () => 1,
    })
    sender.startAnew()
    shelf.open('r-2', {}).push('o', Buffer.from('new\n'))
    sender.wanted({ 'log:r-1': [[1, 2000]] })
    const chunks = wire.sent.map(({ text }) => LogChunk.parse(JSON.parse(text)))
    expect(chunks[0]).toMatchObject({ source: 'r-2', first: 1, last: 1 })
    expect(chunks[0]?.again).toBeUndefined()
    const returned = chunks.slice(1)
    expect(returned.map((one) => one.again)).toEqual([...returned.slice(1).map(() => 'more'), 'end'])
    expect([returned[0]?.first, returned.at(-1)?.last, returned[0]?.acked]).toEqual([1, 2000, 2000])
  })
})
