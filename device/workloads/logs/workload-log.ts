import type { LogRecord } from '../../../schemas/log.ts'
import type { WorkloadLogPage, WorkloadRequestInput } from '../../../schemas/workload-requests.ts'

export type LogQuestion = Omit<WorkloadRequestInput<'logs'>, 'workload' | 'follow_seconds'>
export type LogAnswer = Pick<WorkloadLogPage, 'records' | 'next' | 'first' | 'last'>

/** The log of one workload, through all of its runs. */
export interface WorkloadLog {
  /** Takes what the program writes, in this call. */
  push(stream: 'o' | 'e', bytes: Buffer): void
  /** Skein's own word in the log. */
  say(text: string): void
  /** The run is over: its last unfinished line is given as it is. Throws while there is no room. */
  end(): void
  /** There is no room: the program is to wait. */
  isFull(): boolean
  /** A part of it, at most as much as one message takes. */
  page(question: LogQuestion): Promise<LogAnswer>
  last(): number
  /** How much it takes on the disk. */
  bytes(): number
  /** Removes the oldest part, if there is a newer one. Says how many bytes that freed. */
  dropOldest(): number
  release(): void
  /** The end of what is kept of stderr of the last run, where not all of it is kept as it came. */
  lastErrors?(): string
}

/** Of records, those that a question is about; and whether those behind them need not be looked at. */
export const chosen = (
  records: readonly LogRecord[],
  { limit, before, since, until }: Pick<LogQuestion, 'limit' | 'before' | 'since' | 'until'>,
): { records: LogRecord[]; isOver: boolean } => {
  const from = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since)
  const to = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until)
  const found: LogRecord[] = []
  for (const record of records) {
    const [seq, at] = record
    if ((before !== undefined && seq >= before) || at >= to) return { records: found, isOver: true }
    if (at < from) continue
    found.push(record)
    if (found.length >= limit) return { records: found, isOver: false }
  }
  return { records: found, isOver: false }
}
