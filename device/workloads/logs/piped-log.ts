import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../../base/clock.ts'
import { type LogRecord, readRecords } from '../../../schemas/log.ts'
import type { WorkloadSpec } from '../../../schemas/workload.ts'
import { openRunLog, type RunLog } from '../../logs/run-log.ts'
import type { Segment, Segments } from '../../logs/segments.ts'
import { chosen, type LogAnswer, type LogQuestion, type WorkloadLog } from './workload-log.ts'

export interface PipedLogDeps {
  name: string
  spec: Pick<WorkloadSpec, 'log'>
  segments: Segments
  found: readonly Segment[]
  clock: Clock
  now: () => number
  /** There is something new, or room again. */
  changed: () => void
  /** How many bytes all logs may take. */
  budget: () => number
  /** A file was begun. */
  grown: () => void
  report: (error: unknown) => void
}

export interface PipedLog extends WorkloadLog {
  /** For who follows it: the next part after a number, quick for the one after the last. */
  after: RunLog['after']
}

const mb = 1024 * 1024
/** The newest file of a log is never dropped, so on a small disk files are smaller than is said: of each log there is more than one. */
const fileShare = 1 / 8
const leastFileBytes = 64 * 1024

/**
 * A log that the daemon reads from the pipes of the program. Its files are the segments of the spool, of the size and number that the
 * spec says: a new one is begun between two reads, so none of them loses a line, and the oldest goes.
 */
export const openPipedLog = ({ name, spec, ...deps }: PipedLogDeps): PipedLog => {
  const log = openRunLog({
    run: name,
    options: { max_output_bytes: Number.MAX_SAFE_INTEGER, max_line_bytes: spec.log.max_line_bytes },
    segments: deps.segments,
    found: deps.found,
    clock: deps.clock,
    now: deps.now,
    acked: 0,
    changed: deps.changed,
    grown: () => {
      while (log.marks().length > spec.log.max_files && log.dropOldest() > 0);
      deps.grown()
    },
    report: deps.report,
    segmentBytes: () => Math.min(spec.log.max_file_mb * mb, Math.max(leastFileBytes, deps.budget() * fileShare)),
  })

  const recordsAfter = (seq: number): LogRecord[] => {
    const chunk = log.again(seq)
    return chunk ? (readRecords(chunk.body) ?? []) : []
  }

  /** Where to begin to read for what was written from an instant on: the last file that begins before it. */
  const markOf = (since: number): number =>
    log.marks().findLast((mark) => (recordsAfter(mark)[0]?.[1] ?? since) < since) ?? log.marks()[0] ?? 0

  /** Stands for what has gone by rotation, if somebody asks for it. */
  const rotated = (after: number): LogRecord[] => {
    const { seq, lines, bytes } = log.before()
    if (after >= seq) return []
    const reason = 'rotated'
    return [[seq, recordsAfter(seq)[0]?.[1] ?? deps.now(), 's', { dropped: { from: after + 1, to: seq, lines, bytes, reason } }]]
  }

  const page = async (question: LogQuestion): Promise<LogAnswer> => {
    const bounds = { first: (log.marks()[0] ?? 0) + 1, last: log.last() }
    const wanted = question.tail === undefined ? question.after : Math.max(question.after, bounds.last - question.tail)
    const since = question.since === undefined ? undefined : Date.parse(question.since)
    let next = since === undefined ? wanted : Math.max(wanted, markOf(since))
    const gone = question.tail === undefined && since === undefined ? rotated(next) : []
    if (gone[0]) next = gone[0][0]
    for (;;) {
      const records = recordsAfter(next)
      const found = chosen(records, { ...question, limit: Math.max(1, question.limit - gone.length) })
      const last = found.records.at(-1)?.[0]
      if (found.records.length > 0 || gone.length > 0)
        return { ...bounds, records: [...gone, ...found.records], next: last ?? next }
      const behind = records.at(-1)?.[0]
      if (behind === undefined || found.isOver) return { ...bounds, records: [], next }
      next = behind
      // A whole log may have to be looked through: others have their turn in between.
      await setImmediate()
    }
  }

  return {
    push: log.push,
    say: log.say,
    end: log.end,
    isFull: log.isFull,
    page,
    after: log.after,
    last: log.last,
    bytes: log.bytes,
    dropOldest: log.dropOldest,
    release: log.release,
  }
}
