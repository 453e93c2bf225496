import type { Db } from '../../base/database.ts'
import type { LogHead } from '../../schemas/exchange.ts'
import { bytesOf, firstSeqOf, isDrop, type LogRecord, readRecords } from '../../schemas/log.ts'
import { createLogReader } from './log-reader.ts'

export interface LogRow {
  id: number
  source: string
  device: string
  journal: string
  last_seq: number
  lines: number
  bytes: number
  /** Retention has removed what there was. */
  removed: number
}

/** The logs of runs, as the chunks in which they came: their records are not looked into on the way in. */
export const createLogs = (db: Db) => {
  const get = db.prepare<[string], LogRow>('select * from log where source = ?')
  const open = db.prepare<[string, string, string]>(
    'insert into log (source, device, journal, last_seq, lines, bytes) values (?, ?, ?, 0, 0, 0)',
  )
  const advance = db.prepare<[number, number, number, string, number]>(
    'update log set last_seq = ?, lines = lines + ?, bytes = bytes + ?, journal = ? where id = ?',
  )
  const put = db.prepare<[number, number, number, number, Uint8Array]>(
    'insert or ignore into chunk (log, last, first, at, records) values (?, ?, ?, ?, ?)',
  )
  const chop = db.prepare<[number, number, number]>(
    'delete from chunk where log = ? and last in (select last from chunk where log = ? order by last limit ?)',
  )
  const remove = db.prepare<[number]>('update log set removed = 1 where id = ? and removed = 0')
  const from = db.prepare<[number, number], { first: number; last: number }>(
    'select first, last from chunk where log = ? and last >= ? order by last',
  )
  const following = db.prepare<[number, number], { at: number }>(
    'select at from chunk where log = ? and last > ? order by last limit 1',
  )
  const forget = db.prepare<[number]>('delete from log where id = ?')
  const anyChunk = db.prepare<[number], { last: number }>('select last from chunk where log = ? limit 1')

  /** What is missing between two numbers, both included: from and to. */
  const holesBetween = (log: number, first: number, last: number, most: number): [number, number][] => {
    const holes: [number, number][] = []
    let begin = first
    for (const chunk of from.iterate(log, first)) {
      if (chunk.first > begin) holes.push([begin, Math.min(chunk.first - 1, last)])
      begin = chunk.last + 1
      if (begin > last || holes.length >= most) return holes.filter(([start, end]) => start <= end)
    }
    if (begin <= last) holes.push([begin, last])
    return holes
  }

  /** Puts records where some are missing, and nowhere else. */
  const fill = (log: LogRow, head: LogHead, records: Uint8Array): void => {
    const holes = holesBetween(log.id, head.first, head.last, Number.MAX_SAFE_INTEGER)
    const list = holes.length > 0 ? readRecords(Buffer.from(records).toString('utf8')) : undefined
    for (const [start, end] of holes) {
      const part = list?.flatMap((record) => within(record, start, end)) ?? []
      const [first, last] = [part[0], part.at(-1)]
      // What does not cover the hole is at fault, and would only make others.
      if (!first || firstSeqOf(first) !== start || last?.[0] !== end) continue
      const at = first[1] || (following.get(log.id, end)?.at ?? never)
      put.run(log.id, end, start, at, Buffer.from(JSON.stringify(part)))
      const lines = part.filter((one) => one[2] !== 's' && one[4] !== 1 && !isDrop(one[3])).length
      const bytes = part.reduce((sum, one) => sum + (one[2] === 's' ? 0 : bytesOf(one).length), 0)
      advance.run(log.last_seq, lines, bytes, log.journal, log.id)
    }
  }

  return {
    ...createLogReader(db, (source) => get.get(source)),
    /** Whether any output of this run is here. */
    has: (source: string): boolean => {
      const log = get.get(source)
      return log !== undefined && anyChunk.get(log.id) !== undefined
    },
    /** Removes the output of a run, at most so many chunks of it. Says whether all of it is gone; how much there was stays known. */
    purge: (source: string, mostChunks: number): boolean => {
      const log = get.get(source)
      if (log) remove.run(log.id)
      return log === undefined || chop.run(log.id, log.id, mostChunks).changes < mostChunks
    },
    /** Forgets that there was a log. */
    forget: (source: string): void => {
      const log = get.get(source)
      if (log) forget.run(log.id)
    },
    /** What the database takes, without pages that are free to be used again. */
    usedBytes: (): number => {
      const number = (pragma: string) => Number(db.pragma(pragma, { simple: true }))
      return (number('page_count') - number('freelist_count')) * number('page_size')
    },
    lastSeq: (source: string): number => get.get(source)?.last_seq ?? 0,
    /** How far a log is stored. */
    extent: (source: string): { last_seq: number; lines: number; bytes: number; isRemoved: boolean } => {
      const { last_seq = 0, lines = 0, bytes = 0, removed = 0 } = get.get(source) ?? {}
      return { last_seq, lines, bytes, isRemoved: removed === 1 }
    },
    /** What is missing of a log after a number: the first ranges, from and to. It goes to `upTo` at least. */
    holes: (source: string, after: number, upTo: number, most: number): [number, number][] => {
      const log = get.get(source)
      if (log?.removed) return []
      const last = Math.max(upTo, log?.last_seq ?? 0)
      if (log) return holesBetween(log.id, after + 1, last, most)
      return last > after ? [[after + 1, last]] : []
    },
    /**
     * Adds a chunk that continues the log, or a part of one that does, or what of it was missing. Says where the log ends now, and whether
     * the chunk left a gap before it: then nothing was stored. With `leftHole` it was stored behind what was acknowledged once and is not here.
     */
    append: (device: string, head: LogHead, records: Uint8Array): { last: number; gap: boolean; leftHole: boolean } => {
      let log = get.get(head.source)
      if (!log) {
        const id = Number(open.run(head.source, device, head.journal).lastInsertRowid)
        log = { id, source: head.source, device, journal: head.journal, last_seq: 0, lines: 0, bytes: 0, removed: 0 }
      }
      if (head.last <= log.last_seq) {
        if (!log.removed) fill(log, head, records)
        return { last: log.last_seq, gap: false, leftHole: false }
      }
      // What the device once saw acknowledged it may no longer have. Where it is missing here, readers are told.
      const end = Math.max(log.last_seq, Math.min(head.acked ?? 0, head.first - 1))
      if (head.first > end + 1) return { last: log.last_seq, gap: true, leftHole: false }
      const rest = head.first > log.last_seq ? { first: head.first, records } : restAfter(records, end)
      // Not to be read, so the part that is here already cannot be told from the rest: it is not taken, and the device is at fault.
      if (!rest) return { last: log.last_seq, gap: false, leftHole: false }
      put.run(log.id, head.last, rest.first, instantOf(rest.records) || never, rest.records)
      advance.run(head.last, head.lines, head.bytes, head.journal, log.id)
      return { last: head.last, gap: false, leftHole: end > log.last_seq && !log.removed }
    },
  }
}
export type Logs = ReturnType<typeof createLogs>

/** What of a chunk comes after a number. */
const restAfter = (records: Uint8Array, end: number): { first: number; records: Uint8Array } | undefined => {
  const rest = readRecords(Buffer.from(records).toString('utf8'))?.filter((one: LogRecord) => one[0] > end)
  if (!rest?.[0]) return undefined
  return { first: firstSeqOf(rest[0]), records: Buffer.from(JSON.stringify(rest)) }
}

/** Of records that have no instant: who looks for one begins with what is before them. */
const never = Number.MAX_SAFE_INTEGER

/** What of a record lies between two numbers; one that stands for dropped ones may reach beyond them. */
const within = (record: LogRecord, start: number, end: number): LogRecord[] => {
  const [seq, at, stream, text] = record
  const first = firstSeqOf(record)
  if (seq < start || first > end) return []
  if (first >= start && seq <= end) return [record]
  if (!isDrop(text)) return []
  const [from, to] = [Math.max(first, start), Math.min(seq, end)]
  return [[to, at, stream, { dropped: { ...text.dropped, from, to, lines: Math.min(text.dropped.lines, to - from + 1) } }]]
}

/** The instant of the first record, found without reading the others. */
const instantOf = (records: Uint8Array): number =>
  Number(/^\[\s*\[\s*\d+\s*,\s*(\d+(?:\.\d+)?)/.exec(Buffer.from(records.subarray(0, 64)).toString('latin1'))?.[1] ?? 0)
