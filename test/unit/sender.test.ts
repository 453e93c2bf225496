import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../device/journal.ts'
import { createShelf, type Shelf } from '../../device/logs/shelf.ts'
import { createSender } from '../../device/sender.ts'
import { LogChunk, RunReport } from '../../schemas/exchange.ts'
import { maxMessageBytes } from '../../schemas/request.ts'
import { readTopic } from '../../schemas/topics.ts'
import { clockOf, createTime, type Time } from '../simulation/sim-clock.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'
import { createWire } from './desk.ts'

let time: Time
let journal: Journal
let shelf: Shelf
let wire: ReturnType<typeof createWire>
let backlog = 0
beforeEach(() => {
  time = createTime()
  journal = openJournal(':memory:')
  wire = createWire(time)
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const { segments } = createSimSegments(time.now)
  const rest = { changed: () => {}, budget: () => 1e9, report: () => {} }
  shelf = createShelf({ segments, journal, clock, now: clock.now, ...rest })
  backlog = 0
})
afterEach(() => journal.close())

const start = () => {
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const bus = { ...wire.open(), backlogBytes: () => backlog }
  return createSender({ fleet: 'default', device: 'd1', bus, journal, shelf, clock, boot: 'b', session: () => 1 })
}
const live = (ms: number): void => {
  const until = time.now() + ms
  while (time.step(until));
}
const change = (run: string, reason = ''): number =>
  journal.appendChange({ run, state: 'running', at: '2030-01-01T00:00:00.000Z', ...(reason ? { reason } : {}) })
const line = (run: string, bytes = 10): void => shelf.open(run, {}).push('o', Buffer.from(`${'x'.repeat(bytes)}\n`))
/** What was sent, in order: `runs` or the log's run, with the numbers that it covers, and when. */
const sent = () =>
  wire.sent.map(({ topic, text, at, bytes }) => {
    const source = readTopic('default', topic)?.params['source']
    if (source === undefined)
      return { what: 'runs', seqs: RunReport.parse(JSON.parse(text)).changes.map((one) => one.seq), at, bytes }
    const { first, last } = LogChunk.parse(JSON.parse(text))
    return { what: source, seqs: first === last ? [first] : [first, last], at, bytes }
  })

describe('createSender()', () => {
  test('sends nothing before it is welcomed, nor while it is paused', () => {
    const sender = start()
    change('r-1')
    sender.pump()
    expect(sent()).toEqual([])
    sender.startAnew()
    expect(sent().length).toBe(1)
    sender.pause()
    change('r-2')
    sender.pump()
    live(200_000)
    expect(sent().length).toBe(1)
  })

  test('results go before logs, all that waits together, each stream in order', () => {
    for (let i = 1; i <= 3; i++) line('r-1')
    for (let i = 0; i < 3; i++) change(`r-${i}`)
    start().startAnew()
    expect(sent().map(({ what, seqs }) => [what, seqs])).toEqual([
      ['runs', [1, 2, 3]],
      ['r-1', [1, 3]],
    ])
  })

  test('what was sent is not sent again by more work alone', () => {
    const sender = start()
    sender.startAnew()
    change('r-1')
    sender.pump()
    change('r-2')
    sender.pump()
    sender.pump()
    expect(sent().map((one) => one.seqs)).toEqual([[1], [2]])
  })

  test('what nobody acknowledges is sent again after 10 s, 20, 40 and then every 60', () => {
    const sender = start()
    change('r-1')
    sender.startAnew()
    live(260_000)
    const times = sent().map((one) => Math.round(one.at / 1000))
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    expect(waits.length).toBeGreaterThanOrEqual(5)
    for (const [i, expected] of [10, 20, 40, 60, 60].entries()) {
      expect(waits[i]).toBeGreaterThanOrEqual(expected)
      expect(waits[i]).toBeLessThanOrEqual(expected + 2)
    }
  })

  test('an acknowledgement begins the waits anew; what it covers is not sent again', () => {
    const sender = start()
    for (let i = 0; i < 3; i++) change(`r-${i}`)
    sender.startAnew()
    live(75_000)
    journal.acknowledge('runs', 2)
    sender.acknowledged(['runs'], [])
    const before = sent().length
    const at = time.now()
    live(12_000)
    const next = sent()[before]
    expect(next?.seqs).toEqual([3])
    expect((next?.at ?? 0) - at).toBeGreaterThanOrEqual(10_000)
    journal.acknowledge('runs', 3)
    sender.acknowledged(['runs'], [])
    const after = sent().length
    live(300_000)
    expect(sent().length).toBe(after)
  })

  test('no more of a log is on its way than the window; acknowledged parts make room', () => {
    const sender = start()
    for (let i = 1; i <= 600; i++) line('r-1', 16_000)
    sender.startAnew()
    const first = sent().length
    const bytes = sent().reduce((sum, one) => sum + one.bytes, 0)
    expect(bytes).toBeGreaterThan(3.9 * 1024 * 1024)
    expect(bytes).toBeLessThan(4.2 * 1024 * 1024)
    change('r-1')
    sender.pump()
    expect(sent().at(-1)?.what).toBe('runs')
    shelf.acknowledge('r-1', 100)
    sender.acknowledged(['log:r-1'], [])
    const more = sent().slice(first + 1)
    expect(more.length).toBeGreaterThan(10)
    expect(more.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(101 * 16_100)
  })

  test('while the connection is full logs wait, results do not', () => {
    backlog = 2 * 1024 * 1024
    const sender = start()
    for (let i = 1; i <= 3; i++) line('r-1')
    change('r-1')
    sender.startAnew()
    expect(sent().map((one) => one.what)).toEqual(['runs'])
    backlog = 0
    live(100)
    expect(sent().map((one) => one.what)).toEqual(['runs', 'r-1'])
  })

  test('a gap that is reported for every message behind it is gone back for once', () => {
    const sender = start()
    sender.startAnew()
    for (let i = 1; i <= 5; i++) {
      line('r-1')
      sender.pump()
    }
    live(1000)
    for (let i = 0; i < 4; i++) {
      sender.acknowledged(['log:r-1'], ['log:r-1'])
      live(20)
    }
    expect(sent().map((one) => one.seqs[0])).toEqual([1, 2, 3, 4, 5, 1])
    live(1000)
    sender.acknowledged(['log:r-1'], ['log:r-1'])
    expect(sent().length).toBe(7)
  })

  test('a new welcome sends all that is not acknowledged once more, and what was shed meanwhile as its count', () => {
    const sender = start()
    for (let i = 1; i <= 3; i++) line('r-1', 2000)
    sender.startAnew()
    sender.pause()
    shelf.open('r-1', {}).shed()
    sender.startAnew()
    expect(
      sent()
        .slice(1)
        .map((one) => one.seqs),
    ).toEqual([[1, 3]])
    expect(wire.sent.at(-1)?.text).toContain('spool_full')
  })

  test('every message carries its journal, and how far the device has seen it acknowledged', () => {
    const sender = start()
    for (let i = 0; i < 2; i++) change(`r-${i}`)
    journal.acknowledge('runs', 1)
    sender.startAnew()
    expect(JSON.parse(wire.sent[0]?.text ?? '')).toMatchObject({
      journal: journal.id,
      acked: 1,
      session: 1,
      changes: [{ seq: 2 }],
    })
  })

  test('a message fits in the profile, however long the reasons in it are', () => {
    for (let i = 0; i < 12; i++) change(`r-${i}`, `command_not_found: ${'€'.repeat(10_000)}`)
    start().startAnew()
    for (const one of sent()) expect(one.bytes).toBeLessThanOrEqual(maxMessageBytes)
    expect(sent().flatMap((one) => one.seqs)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
  })
})
