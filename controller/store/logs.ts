import type { Db } from '../../base/database.ts'
import type { LogChunk } from '../../schemas/exchange.ts'
import { firstSeqOf, type LogRecord } from '../../schemas/log.ts'

interface LogRow {
  id: number
  source: string
  device: string
  journal: string
  last_seq: number
  lines: number
  bytes: number
}

/** The logs of runs, as the chunks in which they came. */
export const createLogs = (db: Db) => {
  const get = db.prepare<[string], LogRow>('select * from log where source = ?')
  const open = db.prepare<[string, string, string]>(
    'insert into log (source, device, journal, last_seq, lines, bytes) values (?, ?, ?, 0, 0, 0)',
  )
  const advance = db.prepare<[number, number, number, string, number]>(
    'update log set last_seq = ?, lines = lines + ?, bytes = bytes + ?, journal = ? where id = ?',
  )
  const put = db.prepare<[number, number, number, string]>(
    'insert or ignore into chunk (log, last, first, records) values (?, ?, ?, ?)',
  )
  const read = db.prepare<[number, number], { records: string }>(
    'select records from chunk where log = ? and last > ? order by last',
  )

  return {
    lastSeq: (source: string): number => get.get(source)?.last_seq ?? 0,
    /** How far a log is stored. */
    extent: (source: string): { last_seq: number; lines: number; bytes: number } => {
      const { last_seq = 0, lines = 0, bytes = 0 } = get.get(source) ?? {}
      return { last_seq, lines, bytes }
    },
    /**
     * Adds a chunk that continues the log, or a part of one that does. Says where the log ends now, and whether the chunk left a
     * gap before it: then nothing was stored.
     */
    append: (device: string, chunk: LogChunk, acknowledgedBefore: number): { last: number; gap: boolean } => {
      let log = get.get(chunk.source)
      if (!log) {
        const id = Number(open.run(chunk.source, device, chunk.journal).lastInsertRowid)
        log = { id, source: chunk.source, device, journal: chunk.journal, last_seq: 0, lines: 0, bytes: 0 }
      }
      if (chunk.last <= log.last_seq) return { last: log.last_seq, gap: false }
      // What the device once saw acknowledged it no longer has: a restored database cannot ask for it again.
      const end = Math.max(log.last_seq, Math.min(acknowledgedBefore, chunk.first - 1))
      if (chunk.first > end + 1) return { last: log.last_seq, gap: true }
      const records = chunk.first > log.last_seq ? chunk.records : chunk.records.filter((one) => one[0] > end)
      const first = records[0] ? firstSeqOf(records[0]) : chunk.first
      put.run(log.id, chunk.last, first, JSON.stringify(records))
      advance.run(chunk.last, chunk.lines, chunk.bytes, chunk.journal, log.id)
      return { last: chunk.last, gap: false }
    },
    /** Records after a sequence number: at most `limit` of them and about `maxBytes` of JSON. */
    read: (source: string, after: number, limit: number, maxBytes: number): LogRecord[] => {
      const log = get.get(source)
      const out: LogRecord[] = []
      if (!log) return out
      let bytes = 0
      for (const { records } of read.iterate(log.id, after)) {
        for (const record of JSON.parse(records) as LogRecord[]) {
          // stored from a checked chunk
          if (record[0] <= after) continue
          bytes += Buffer.byteLength(JSON.stringify(record)) + 1
          if (out.length >= limit || (bytes > maxBytes && out.length > 0)) return out
          out.push(record)
        }
      }
      return out
    },
  }
}
export type Logs = ReturnType<typeof createLogs>
