import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, type JournalRun, openJournal } from '../../device/journal.ts'
import { createRunLog, pendingLimitBytes } from '../../device/run-log.ts'
import { bytesOf, LogRecord } from '../../schemas/log.ts'
import { maxMessageBytes } from '../../schemas/request.ts'
import type { Options } from '../../schemas/task.ts'
import { clockOf, createTime, randomFrom, type Time } from '../simulation/sim-clock.ts'

let time: Time
let journal: Journal
beforeEach(() => {
  time = createTime()
  journal = openJournal(':memory:')
})
afterEach(() => journal.close())

const emptyRow = (): JournalRun => {
  const counts = {
    out_bytes: 0,
    err_bytes: 0,
    log_seq: 0,
    lines: 0,
    bytes: 0,
    dropped_lines: 0,
    dropped_bytes: 0,
    over_lines: 0,
    over_bytes: 0,
  }
  const about = {
    run_id: 'r-1',
    task_id: 'r',
    attempt: 1,
    state: 'running',
    orders: '{}',
    boot: 'b',
    accepted_at: 1,
    heard_mono: 1,
  } as const
  return { ...about, ...counts, started_mono: 1, ended_at: null, result: null, stop_for: null, done: 0 }
}
/** A run's log over a journal in memory; `row` is what has been stored. */
const openLog = (options: Options = {}) => {
  let wants = 0
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const log = createRunLog({ options, clock, journal, now: clock.now, wantsStore: () => wants++ })
  let row = emptyRow()
  return {
    log,
    wants: () => wants,
    row: () => row,
    push: (text: string | Buffer, stream: 'o' | 'e' = 'o') => log.push(stream, Buffer.from(text)),
    /** Stores what is pending, as a transaction that commits. */
    store: (isLast = false) => {
      if (isLast) log.finish()
      row = log.store(row, isLast)
      log.stored()
    },
  }
}
const chunks = () => journal.records('log:r-1', 0, 100_000)
const records = () => chunks().flatMap((row) => (JSON.parse(row.body) as unknown[]).map((one) => LogRecord.parse(one)))
const output = (stream: 'o' | 'e' = 'o') =>
  Buffer.concat(
    records()
      .filter((one) => one[2] === stream)
      .map(bytesOf),
  )
const texts = () => records().map((one) => one[3])

describe('createRunLog()', () => {
  test('keeps every byte of both streams, in records numbered without a hole, whatever the pieces were', () => {
    const random = randomFrom(9)
    const one = openLog()
    const written = { o: [] as Buffer[], e: [] as Buffer[] }
    for (let i = 0; i < 400; i++) {
      const stream = random() < 0.7 ? 'o' : 'e'
      const bytes = Buffer.from(
        Array.from({ length: Math.floor(random() * 300) }, () => (random() < 0.1 ? 10 : Math.floor(random() * 256))),
      )
      written[stream].push(bytes)
      one.push(bytes, stream)
      if (random() < 0.2) time.step(time.now() + 100)
      if (random() < 0.3) one.store()
    }
    one.store(true)
    for (const stream of ['o', 'e'] as const) expect(output(stream).equals(Buffer.concat(written[stream]))).toBe(true)
    expect(records().map((record) => record[0])).toEqual(records().map((_, i) => i + 1))
    expect(one.row()).toMatchObject({ out_bytes: output('o').length, err_bytes: output('e').length, log_seq: records().length })
    expect(one.row().bytes).toBe(output('o').length + output('e').length)
  })

  test('a line that has begun is shown soon, and goes on', () => {
    const one = openLog()
    one.push('Password: ')
    one.store()
    expect(texts()).toEqual([])
    time.step(time.now() + 60)
    expect(one.wants()).toBe(1)
    one.store()
    one.push('secret\nnext')
    one.store(true)
    expect(records().map(([, , , text, goesOn]) => [text, goesOn])).toEqual([
      ['Password: ', 1],
      ['secret', undefined],
      ['next', 1],
    ])
    expect(one.row().lines).toBe(1)
  })

  test('max_output_bytes: what fits is kept, what follows is counted to the byte, and both are said where they happen', () => {
    const one = openLog({ max_output_bytes: 20 })
    one.push('123456789\n123456789\n')
    one.store()
    one.push('too much\nshort\n\n')
    one.push('unfinished', 'e')
    one.store(true)
    expect(output().toString()).toBe('123456789\n123456789\n')
    expect(texts().slice(2)).toEqual([
      expect.stringContaining('output limit of 20 bytes'),
      { dropped: { from: 4, to: 4, lines: 3, bytes: 26, reason: 'output_limit' } },
    ])
    expect(one.row()).toMatchObject({ lines: 2, bytes: 20, dropped_lines: 3, dropped_bytes: 26, out_bytes: 36, err_bytes: 10 })
  })

  test('after the limit nothing more is kept, however short: the log has no holes that nobody marked', () => {
    const one = openLog({ max_output_bytes: 100 })
    one.push(`${'a'.repeat(89)}\n${'b'.repeat(19)}\nc\n`)
    one.store()
    one.push('d\n', 'e')
    one.store(true)
    expect([output('o').toString(), output('e').toString()]).toEqual([`${'a'.repeat(89)}\n`, ''])
    expect(texts().at(-1)).toMatchObject({ dropped: { lines: 3, bytes: 24 } })
  })

  test('the rest of a line that was too long does not use up the limit on output', () => {
    const one = openLog({ max_output_bytes: 300, max_line_bytes: 64 })
    one.push(`${'x'.repeat(1000)}\nafter\n`)
    one.store(true)
    expect(output().toString()).toBe(`${'x'.repeat(64)}after\n`)
    expect(texts().find((text) => typeof text === 'object' && 'dropped' in text)).toMatchObject({
      dropped: { lines: 1, bytes: 937, reason: 'line_too_long' },
    })
    expect(one.row()).toMatchObject({ bytes: 70, dropped_bytes: 937, dropped_lines: 1, out_bytes: 1007, over_bytes: 0 })
  })

  test('kept and dropped together are always all that the program wrote', () => {
    const random = randomFrom(21)
    for (let round = 0; round < 60; round++) {
      const one = openLog({ max_output_bytes: 1 + Math.floor(random() * 3000), max_line_bytes: 64 + Math.floor(random() * 500) })
      let written = 0
      let newlines = 0
      for (let i = 0; i < 30; i++) {
        const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 200) }, () => (random() < 0.03 ? 10 : 97)))
        written += bytes.length
        newlines += bytes.filter((byte) => byte === 10).length
        one.push(bytes, 'o')
        if (random() < 0.3) one.store()
      }
      one.store(true)
      const { bytes, dropped_bytes, lines, dropped_lines, out_bytes } = one.row()
      expect([round, bytes + dropped_bytes, out_bytes, lines + dropped_lines]).toEqual([round, written, written, newlines])
    }
  })

  test.each([
    ['NULs', '\0'],
    ['control characters', '\u0001\u001b'],
    ['quotes', '"\\'],
    ['bytes that are no UTF-8', '\xff'],
    ['emoji', '🪿'],
    ['empty lines', '\n'],
  ])('a chunk fits in a message, also one of %s', (_, text) => {
    const one = openLog()
    const bytes = text === '\xff' ? Buffer.alloc(300_000, 0xff) : Buffer.from(text.repeat(300_000 / text.length))
    one.push(bytes)
    one.store(true)
    const head = { journal: 'j'.repeat(36), source: 's'.repeat(63), first: 1e9, last: 1e9, lines: 1e9, bytes: 1e9, acked: 1e9 }
    for (const row of chunks()) {
      const encoded = Buffer.byteLength(JSON.stringify(head)) + Buffer.byteLength(row.body) + 20
      expect(encoded).toBeLessThanOrEqual(maxMessageBytes)
    }
    expect(output().equals(bytes)).toBe(true)
  })

  test('chunks cover their numbers: each begins where the last ended, and they count all lines and bytes', () => {
    const one = openLog()
    for (let i = 0; i < 5000; i++) one.push(`line ${i} ${'x'.repeat(i % 90)}\n`)
    one.store(true)
    let next = 1
    for (const row of chunks()) {
      expect(row.first).toBe(next)
      next = row.seq + 1
    }
    expect(next - 1).toBe(one.row().log_seq)
    expect(chunks().reduce((sum, row) => sum + row.lines, 0)).toBe(5000)
    expect(chunks().reduce((sum, row) => sum + row.bytes, 0)).toBe(one.row().bytes)
  })

  test('putBack() loses nothing and doubles nothing when a transaction fails', () => {
    const one = openLog({ max_output_bytes: 60 })
    one.push('first\n')
    one.store()
    one.push('second\n')
    for (let i = 0; i < 3; i++) {
      journal.db.exec('begin')
      one.log.store(one.row(), false)
      one.push(`third ${i}\n`)
      one.log.store(one.row(), false)
      journal.db.exec('rollback')
      journal.forgetUncommitted()
      one.log.putBack()
    }
    one.store(true)
    expect(output().toString()).toBe('first\nsecond\nthird 0\nthird 1\nthird 2\n')
    expect(records().map((record) => record[0])).toEqual([1, 2, 3, 4, 5])
    expect(one.row().out_bytes).toBe(output().length)
  })

  test('says that it is full when too much waits for the disk, and that it is not once that is stored', () => {
    const one = openLog()
    one.push(Buffer.alloc(pendingLimitBytes + 70_000, 'x\n'))
    expect(one.log.isFull()).toBe(true)
    expect(one.wants()).toBeGreaterThan(0)
    one.log.store(one.row(), false)
    expect(one.log.isFull()).toBe(true)
    one.log.putBack()
    expect(one.log.isFull()).toBe(true)
    one.store()
    expect(one.log.isFull()).toBe(false)
  })

  test('Skein’s own word stands in the log and counts as no output', () => {
    const one = openLog({ max_output_bytes: 1 })
    one.push('ab\n')
    one.log.say('a word')
    one.store(true)
    expect(
      records()
        .filter((record) => record[2] === 's')
        .map((record) => record[3]),
    ).toContain('a word')
    expect(one.row()).toMatchObject({ bytes: 0, lines: 0, dropped_bytes: 3 })
  })
})
