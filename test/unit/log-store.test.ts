import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Db, openDatabase } from '../../base/database.ts'
import { createLogs, type Logs } from '../../controller/store/logs.ts'
import { logMigrations } from '../../controller/store/store.ts'
import { readLogMessage } from '../../schemas/log-message.ts'

let db: Db
let logs: Logs
beforeEach(() => {
  db = openDatabase(':memory:', logMigrations)
  logs = createLogs(db)
})
afterEach(() => db.close())

/** A message of lines `first` to `last`, each a second after the one before. */
const message = (first: number, last: number, acked = 0): Buffer => {
  const records = Array.from({ length: last - first + 1 }, (_, i) => [first + i, (first + i) * 1000, 'o', `line ${first + i}`])
  const count = records.length
  return Buffer.from(
    JSON.stringify({ journal: 'j', source: 'r-1', first, last, lines: count, bytes: count * 10, acked, records }),
  )
}
const append = (payload: Buffer) => {
  const read = readLogMessage(payload)
  if (!read) throw new Error('no message of a log')
  return logs.append('d', read.head, read.records)
}
const read = (window = {}) => logs.read('r-1', { after: 0, limit: 10_000, maxBytes: 1e6, ...window })
const seqs = (window = {}) => read(window).records.map((record) => record[0])

describe('append() and read()', () => {
  test('give back what came, whatever came twice or overlaps', () => {
    append(message(1, 10))
    append(message(1, 10))
    append(message(5, 20))
    expect(append(message(30, 31))).toEqual({ last: 20, gap: true, leftHole: false })
    expect(seqs()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(read().records[9]).toEqual([10, 10_000, 'o', 'line 10'])
  })

  test('pages end where they are full, and go on there', () => {
    for (let i = 0; i < 10; i++) append(message(i * 10 + 1, i * 10 + 10))
    expect(seqs({ limit: 25 })).toEqual(Array.from({ length: 25 }, (_, i) => i + 1))
    expect(seqs({ after: 25, maxBytes: 700 })[0]).toBe(26)
    expect(read({ maxBytes: 1 }).records.length).toBe(1)
  })

  test('the last lines, and spans of time', () => {
    for (let i = 0; i < 10; i++) append(message(i * 10 + 1, i * 10 + 10))
    expect(seqs({ tail: 3 })).toEqual([98, 99, 100])
    expect(seqs({ tail: 1000 }).length).toBe(100)
    expect(seqs({ since: 95_000 })).toEqual([95, 96, 97, 98, 99, 100])
    expect(read({ since: 10_500, until: 12_000 })).toMatchObject({ isEnd: true })
    expect(seqs({ since: 10_500, until: 12_000 })).toEqual([11, 12])
  })

  test('ranges by number, and the last lines of a range', () => {
    for (let i = 0; i < 10; i++) append(message(i * 10 + 1, i * 10 + 10))
    expect(seqs({ after: 8, before: 13 })).toEqual([9, 10, 11, 12])
    expect(read({ after: 8, before: 13 })).toMatchObject({ isEnd: true })
    expect(read({ after: 8, before: 13, limit: 2 })).toMatchObject({ next: 10, isEnd: false })
    expect(read({ after: 8, before: 11 })).toMatchObject({ next: 10, isEnd: true })
    expect(read({ after: 12, before: 13 })).toMatchObject({ records: [], isEnd: true })
    expect(read({ after: 50, before: 20 })).toMatchObject({ records: [], isEnd: true })
    expect(seqs({ before: 1 })).toEqual([])
    // What has not come yet is still to come.
    expect(read({ after: 98, before: 103 })).toMatchObject({ next: 100, isEnd: false })
    expect(seqs({ before: 42, tail: 3 })).toEqual([39, 40, 41])
    expect(seqs({ after: 40, before: 42, tail: 3 })).toEqual([41])
    expect(seqs({ until: 41_500, tail: 2 })).toEqual([40, 41])
    expect(seqs({ since: 40_500, until: 43_000, before: 43, tail: 9 })).toEqual([41, 42])
  })

  test('what is missing belongs to the range as far as it reaches into it', () => {
    append(message(1, 3))
    append(message(8, 9, 7))
    expect(read({ before: 6 }).records.at(-1)).toMatchObject([5, 0, 's', { dropped: { from: 4, to: 5, lines: 2 } }])
    expect(seqs({ after: 5, before: 9 })).toEqual([7, 8])
    expect(seqs({ before: 4 })).toEqual([1, 2, 3])
  })

  test('what a restored database lacks is a record where it would be', () => {
    append(message(1, 3))
    append(message(8, 9, 7))
    expect(read().records.map(([seq, , , text]) => [seq, text])).toMatchObject([
      [1, 'line 1'],
      [2, 'line 2'],
      [3, 'line 3'],
      [7, { dropped: { from: 4, to: 7, reason: 'missing' } }],
      [8, 'line 8'],
      [9, 'line 9'],
    ])
  })

  test('what was missing is put where it was, and nothing twice', () => {
    append(message(1, 3))
    expect(append(message(8, 9, 7))).toEqual({ last: 9, gap: false, leftHole: true })
    expect(append(message(15, 20, 14)).leftHole).toBe(true)
    expect(logs.holes('r-1', 0, 22, 10)).toEqual([
      [4, 7],
      [10, 14],
      [21, 22],
    ])
    expect(logs.holes('r-1', 7, 0, 10)).toEqual([[10, 14]])
    expect(logs.holes('r-1', 0, 0, 1)).toEqual([[4, 7]])
    append(message(2, 5))
    expect(logs.holes('r-1', 0, 0, 10)[0]).toEqual([6, 7])
    append(message(1, 20))
    append(message(1, 20))
    expect(logs.holes('r-1', 0, 0, 10)).toEqual([])
    expect(seqs()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(read().records.map((record) => record[3])).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 1}`))
    expect(logs.extent('r-1')).toMatchObject({ last_seq: 20, lines: 20 })
    expect(seqs({ since: 12_500 })).toEqual([13, 14, 15, 16, 17, 18, 19, 20])
  })

  test('a record for what is gone fills its hole too, and no more than that', () => {
    append(message(1, 3))
    append(message(8, 9, 7))
    const dropped = { from: 2, to: 8, lines: 7, bytes: 0, reason: 'not_kept' }
    const head = { journal: 'j', source: 'r-1', first: 2, last: 8, lines: 0, bytes: 0 }
    append(Buffer.from(JSON.stringify({ ...head, records: [[8, 0, 's', { dropped }]] })))
    expect(read().records[3]).toEqual([7, 0, 's', { dropped: { ...dropped, from: 4, to: 7, lines: 4 } }])
    expect(seqs()).toEqual([1, 2, 3, 7, 8, 9])
    expect(seqs({ since: 2500 })).toEqual([3, 8, 9])
    expect(logs.holes('r-1', 0, 0, 10)).toEqual([])
  })

  test('what retention has removed is no hole, and nothing is put there', () => {
    append(message(1, 3))
    append(message(8, 9, 7))
    expect(logs.purge('r-1', 10)).toBe(true)
    expect(logs.holes('r-1', 0, 9, 10)).toEqual([])
    append(message(1, 9))
    expect([logs.has('r-1'), logs.extent('r-1')]).toMatchObject([false, { last_seq: 9, isRemoved: true }])
    expect(logs.holes('unknown', 0, 5, 10)).toEqual([[1, 5]])
  })

  test('records that are none do no harm: one says that they cannot be read', () => {
    append(message(1, 2))
    const bad = Buffer.from('{"journal":"j","source":"r-1","first":3,"last":4,"lines":2,"bytes":2,"records":[[3,1,"o"],"x"]}')
    append(bad)
    append(message(5, 5))
    expect(read().records[2]?.[3]).toMatchObject({ dropped: { from: 3, to: 4, reason: 'damaged' } })
    expect(seqs()).toEqual([1, 2, 4, 5])
    for (const text of ['', '{}', '[]', '{"records":[]}', '{"source":"r-1","records":[[]]}']) {
      expect(readLogMessage(Buffer.from(text))).toBeUndefined()
    }
  })
})
