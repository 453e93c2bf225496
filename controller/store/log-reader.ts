import type { Db } from '../../base/database.ts'
import { firstSeqOf, type LogRecord, readRecords } from '../../schemas/log.ts'

/** Which part of a log is wanted. Instants are milliseconds since 1970. */
export interface LogWindow {
  /** Only what comes after this number. */
  after: number
  /** Only what comes before this number. What was dropped is one record: it is wanted if it begins before. */
  before?: number | undefined
  limit: number
  /** About so much JSON, and one record at least. */
  maxBytes: number
  since?: number | undefined
  until?: number | undefined
  /** Only the last so many lines of what there is now in the rest of the window. */
  tail?: number | undefined
}

export interface LogPage {
  records: LogRecord[]
  /** Up to here there is nothing else in the window. */
  next: number
  /** Nothing after these records is in the window, now or ever. */
  isEnd: boolean
}

interface ChunkRow {
  first: number
  last: number
  records: Buffer
}

/** Reads logs out of their chunks. What is not here, or cannot be read, is a record that says so, where it would be. */
export const createLogReader = (db: Db, logOf: (source: string) => { id: number } | undefined) => {
  const after = db.prepare<[number, number], ChunkRow>(
    'select first, last, records from chunk where log = ? and last > ? order by last',
  )
  const backwards = db.prepare<[number, number, number], ChunkRow>(
    'select first, last, records from chunk where log = ? and first < ? and at <= ? order by last desc',
  )
  const lastBegunBy = db.prepare<[number, number], { first: number }>(
    'select first from chunk where log = ? and at <= ? order by last desc limit 1',
  )

  /** The number after which the last so many lines before a number and up to an instant begin. */
  const startOfTail = (log: number, lines: number, before: number, until: number): number => {
    let left = lines
    for (const row of backwards.iterate(log, before, until)) {
      const records = recordsOf(row)
      for (let i = records.length - 1; i >= 0; i--) {
        const record = records[i]
        if (!record || firstSeqOf(record) >= before || record[1] > until) continue
        // What goes on belongs to the line of the record behind it.
        if (record[4] === 1 && left < lines) continue
        if (left === 0) return record[0]
        left--
      }
    }
    return 0
  }

  return {
    read: (source: string, window: LogWindow): LogPage => {
      const log = logOf(source)
      const page: LogRecord[] = []
      const { limit, maxBytes, since, until = Number.POSITIVE_INFINITY, before = Number.MAX_SAFE_INTEGER } = window
      if (!log) return { records: page, next: window.after, isEnd: window.after >= before - 1 }
      let last = window.after
      if (window.tail !== undefined) last = Math.max(last, startOfTail(log.id, window.tail, before, until))
      // The chunks before the last that begins earlier have nothing of it.
      if (since !== undefined) last = Math.max(last, (lastBegunBy.get(log.id, since)?.first ?? 1) - 1)
      let bytes = 0
      for (const row of after.iterate(log.id, last)) {
        const records =
          row.first > last + 1
            ? [gapRecord(last + 1, Math.min(row.first, before) - 1, 0, 'missing'), ...recordsOf(row)]
            : recordsOf(row)
        const isSmall = bytes + row.records.length <= maxBytes && page.length + records.length <= limit
        for (const record of records) {
          if (record[0] <= last) continue
          if (since !== undefined && record[1] < since) continue
          if (record[1] > until || firstSeqOf(record) >= before) return { records: page, next: last, isEnd: true }
          // To measure each is dear: that is for the chunk in which the page ends.
          if (!isSmall) bytes += Buffer.byteLength(JSON.stringify(record)) + 1
          if (!isSmall && (page.length >= limit || (bytes > maxBytes && page.length > 0)))
            return { records: page, next: page.at(-1)?.[0] ?? last, isEnd: false }
          page.push(record)
        }
        if (isSmall) bytes += row.records.length
        last = row.last
      }
      return { records: page, next: last, isEnd: last >= before - 1 }
    },
  }
}

/** The records of a chunk, or one in their place if they cannot be read. */
const recordsOf = ({ first, last, records: bytes }: ChunkRow): LogRecord[] => {
  const records = readRecords(bytes.toString('utf8'))
  const [head, tail] = [records?.[0], records?.at(-1)]
  if (records && head && tail && firstSeqOf(head) <= first && tail[0] === last) return records
  return [gapRecord(first, last, bytes.length, 'damaged')]
}

/** How many lines and bytes of output it was nobody here knows: so many records, and what they took. */
const gapRecord = (from: number, to: number, bytes: number, reason: string): LogRecord => [
  to,
  0,
  's',
  { dropped: { from, to, lines: to - from + 1, bytes, reason } },
]
