import { describe, expect, test } from 'vitest'
import { createLogStore } from '../../dashboard/web/log/log-store.ts'
import type { LogRecord, Stream } from '../../schemas/log.ts'

const record = (seq: number, text: LogRecord[3], stream: Stream = 'o', goesOn = false): LogRecord =>
  goesOn ? [seq, 1000 + seq, stream, text, 1] : [seq, 1000 + seq, stream, text]
const lines = (from: number, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, i) => record(from + i, `line ${from + i}`))
const texts = (store: ReturnType<typeof createLogStore>): string[] =>
  Array.from({ length: store.end() - store.first() }, (_, i) => store.line(store.first() + i)?.text ?? '')

describe('the lines of a log', () => {
  test('createLogStore() gives every line with its time and stream, across chunks', () => {
    const store = createLogStore()
    store.append(lines(1, 10_000))
    store.append([record(10_001, 'bad', 'e')])
    expect(store.end()).toBe(10_001)
    for (const index of [0, 1, 4095, 4096, 4097, 8191, 8192, 9999]) {
      expect(store.line(index)).toMatchObject({ index, at: 1001 + index, stream: 'o', text: `line ${index + 1}` })
    }
    expect(store.line(10_000)).toMatchObject({ stream: 'e', text: 'bad' })
    expect(store.line(10_001)).toBeUndefined()
  })

  test('append() joins what goes on, each stream for itself', () => {
    const store = createLogStore()
    store.append([
      record(1, 'one ', 'o', true),
      record(2, 'bad ', 'e', true),
      record(3, 'line', 'o'),
      record(4, 'luck', 'e'),
      record(5, 'two'),
    ])
    expect(texts(store)).toEqual(['one line', 'bad luck', 'two'])
    store.append([record(6, 'three', 'o', true)])
    store.append([record(7, ' more')])
    expect(texts(store)).toEqual(['one line', 'bad luck', 'two', 'three more'])
  })

  test('append() joins up to a bound; the rest is a line that says so', () => {
    const store = createLogStore()
    const part = 'x'.repeat(10_000)
    store.append([record(1, part, 'o', true), record(2, part, 'o', true), record(3, 'end')])
    expect(texts(store).map((text) => text.length)).toEqual([10_000, 10_003])
    expect([store.line(0)?.isRest, store.line(1)?.isRest]).toEqual([false, true])
  })

  test('append() keeps the newest of a line that is written over and over again', () => {
    const store = createLogStore()
    for (let i = 0; i < 5000; i++) store.append([record(i + 1, `\r${i} of 5000 are done`, 'o', true)])
    expect(store.end()).toBe(1)
    expect(store.line(0)?.text).toMatch(/\r4999 of 5000 are done$/)
    expect(store.line(0)?.text.length).toBeLessThan(17_000)
  })

  test('append() shows gaps as lines of their own, and counts what is missing', () => {
    const store = createLogStore()
    const dropped = { from: 2, to: 9, lines: 8, bytes: 800, reason: 'spool_full' }
    store.append([record(1, 'before'), record(9, { dropped }, 's'), record(10, 'after')])
    expect(store.line(1)).toMatchObject({ text: '', gap: dropped })
    expect(store.missing()).toBe(8)
  })

  test('append() reads bytes that are not UTF-8 with a sign for what cannot be read', () => {
    const store = createLogStore()
    store.append([record(1, { b64: '/3g=' })])
    expect(store.line(0)?.text).toBe('\ufffdx')
  })

  test('createLogStore() lets the oldest chunks go, and lines keep their place', () => {
    const store = createLogStore({ lines: 10_000, chars: 1e9 })
    store.append(lines(1, 30_000))
    expect(store.first()).toBeGreaterThan(0)
    expect(store.end() - store.first()).toBeLessThanOrEqual(10_000 + 4096)
    expect(store.line(store.first() - 1)).toBeUndefined()
    expect(store.line(store.first())?.text).toBe(`line ${store.first() + 1}`)
    expect(store.line(29_999)?.text).toBe('line 30000')
  })

  test('createLogStore() bounds the characters too', () => {
    const store = createLogStore({ lines: 1_000_000, chars: 1_000_000 })
    store.append(Array.from({ length: 20_000 }, (_, i) => record(i + 1, 'x'.repeat(100))))
    expect(store.end() - store.first()).toBeLessThan(20_000)
  })

  test('createLogStore() may begin in the middle', () => {
    const store = createLogStore({ from: 1_000_000 })
    store.append(lines(1, 5000))
    expect([store.first(), store.end()]).toEqual([1_000_000, 1_005_000])
    expect(store.line(1_004_999)?.text).toBe('line 5000')
    expect(store.line(999_999)).toBeUndefined()
  })

  test('begin() says where it begins, and again after clear()', () => {
    const store = createLogStore()
    store.begin(4000)
    store.append(lines(4001, 5000))
    expect([store.first(), store.end(), store.line(4000)?.text]).toEqual([4000, 9000, 'line 4001'])
    store.clear()
    store.begin(7)
    store.append([record(8, 'new')])
    expect([store.first(), store.end(), store.line(7)?.text]).toEqual([7, 8, 'new'])
  })

  test('goesOn() tells which lines may become longer', () => {
    const store = createLogStore()
    store.append([record(1, 'out ', 'o', true), record(2, 'whole', 'e'), record(3, 'err ', 'e', true)])
    expect([0, 1, 2, 3].map(store.goesOn)).toEqual([true, false, true, false])
    store.append([record(4, 'put')])
    expect([0, 1, 2].map(store.goesOn)).toEqual([false, false, true])
  })

  test('clear() forgets all', () => {
    const store = createLogStore()
    store.append([...lines(1, 5000), record(5001, 'open', 'o', true)])
    store.clear()
    store.append([record(1, 'new')])
    expect(texts(store)).toEqual(['new'])
  })

  test('append() takes a million lines in little time', () => {
    const batches = Array.from({ length: 1000 }, (_, batch) =>
      Array.from({ length: 1000 }, (_, i) => record(batch * 1000 + i + 1, `${batch} ${i} `.padEnd(80, 'x'))),
    )
    const store = createLogStore()
    const began = performance.now()
    for (const batch of batches) store.append(batch)
    // Far more than it takes (about 0.15 s), because machines that test are busy.
    expect(performance.now() - began).toBeLessThan(3000)
    expect(store.end()).toBe(1_000_000)
  })
})
