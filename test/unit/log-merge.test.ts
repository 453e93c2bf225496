import { describe, expect, test } from 'vitest'
import { createLogMerge } from '../../base/log-merge.ts'
import type { LogRecord } from '../../schemas/log.ts'

const line = (seq: number): LogRecord => [seq, 0, 'o', `line ${seq}`]
const dropped = (from: number, to: number): LogRecord => [
  to,
  0,
  's',
  { dropped: { from, to, lines: to - from + 1, bytes: 1, reason: 'x' } },
]
const seqs = (records: readonly LogRecord[]) => records.map((one) => one[0])

describe('createLogMerge()', () => {
  test('gives each record once and in order, however they come', () => {
    const merge = createLogMerge()
    expect(seqs(merge.offer([line(2), line(3)]))).toEqual([])
    expect(merge.hasGap()).toBe(true)
    expect(seqs(merge.offer([line(1), line(2)]))).toEqual([1, 2, 3])
    expect(merge.hasGap()).toBe(false)
    expect(seqs(merge.offer([line(3), line(4)]))).toEqual([4])
    expect(merge.last()).toBe(4)
  })

  test('takes a record of dropped lines for all that it stands for', () => {
    const merge = createLogMerge()
    expect(seqs(merge.offer([line(6), dropped(2, 5), line(1)]))).toEqual([1, 5, 6])
  })

  test('takes a record of dropped lines of which some had come', () => {
    const merge = createLogMerge()
    expect(seqs(merge.offer([line(1), line(2), dropped(2, 5), line(6)]))).toEqual([1, 2, 5, 6])
    expect(seqs(merge.offer([dropped(2, 5), line(4)]))).toEqual([])
  })

  test('page() is certain: what is between its records will not come', () => {
    const merge = createLogMerge()
    expect(seqs(merge.offer([line(200), line(400)]))).toEqual([])
    expect(seqs(merge.page([line(100), line(200)]))).toEqual([100, 200])
    expect(seqs(merge.page([line(200), line(300)]))).toEqual([300])
    expect(seqs(merge.skipTo(399))).toEqual([400])
  })

  test('skipTo() gives up what will not come', () => {
    const merge = createLogMerge()
    merge.offer([line(5), line(7)])
    expect(seqs(merge.skipTo(4))).toEqual([5])
    expect(seqs(merge.skipTo(7))).toEqual([])
    expect(merge.last()).toBe(7)
  })

  test('does not keep without end what waits behind a gap', () => {
    const merge = createLogMerge()
    merge.offer(Array.from({ length: 9000 }, (_, i) => line(i + 2)))
    expect(merge.offer([line(1)])).toHaveLength(5001)
    expect(seqs(merge.offer([line(5002)]))).toEqual([5002])
  })

  test('is right for any order and any repeats', () => {
    for (let seed = 1; seed < 200; seed++) {
      let state = seed
      const random = (below: number) => {
        state = (state * 48_271) % 2_147_483_647
        return state % below
      }
      const log: LogRecord[] = []
      for (let seq = 1; seq <= 30; ) {
        const length = random(6) === 0 ? 1 + random(4) : 0
        log.push(length > 0 ? dropped(seq, seq + length - 1) : line(seq))
        seq += Math.max(1, length)
      }
      const merge = createLogMerge()
      const given: LogRecord[] = []
      for (let i = 0; i < 100; i++) {
        const from = random(log.length)
        given.push(...merge.offer(log.slice(from, from + 1 + random(5))))
      }
      given.push(...merge.offer(log))
      expect(given, `seed ${seed}`).toEqual(log)
    }
  })
})
