import { firstSeqOf, type LogRecord } from '../schemas/log.ts'

export interface LogMerge {
  /** Takes records from wherever they come; gives those whose turn it is, each exactly once and in order. */
  offer(records: readonly LogRecord[]): LogRecord[]
  /** Takes a page, which is certain: what is missing between its records will not come. Numbers of some logs have gaps by nature. */
  page(records: readonly LogRecord[]): LogRecord[]
  /** The last sequence number that was given out: ask for what is after it. */
  last(): number
  /** Nothing up to here will come any more. Gives what waited behind it. */
  skipTo(seq: number): LogRecord[]
  /** Whether something waits for a record that has not come. */
  hasGap(): boolean
}

/** As much as may wait behind a gap: what is beyond is dropped, and read from the controller in its turn. */
export const maxWaiting = 5000

/** Merges one log out of two ways: live from the device, which is quick, and pages from the controller, which are certain. */
export const createLogMerge = (after = 0): LogMerge => {
  let last = after
  const waiting = new Map<number, LogRecord>()

  const ripe = (): LogRecord[] => {
    const given: LogRecord[] = []
    for (let next = waiting.get(last + 1); next; next = waiting.get(last + 1)) {
      waiting.delete(last + 1)
      given.push(next)
      last = next[0]
    }
    return given
  }

  const offer = (records: readonly LogRecord[]): LogRecord[] => {
    const given: LogRecord[] = []
    for (const record of records) {
      if (record[0] <= last) continue
      // A record for dropped lines stands for a range, of which a part may have come before it was dropped.
      const first = Math.max(firstSeqOf(record), last + 1)
      if (waiting.size < maxWaiting || first === last + 1) {
        const other = waiting.get(first)
        if (!other || other[0] < record[0]) waiting.set(first, record)
      }
      if (first === last + 1) given.push(...ripe())
    }
    return given
  }

  const skipTo = (seq: number): LogRecord[] => {
    if (seq <= last) return []
    last = seq
    const held = [...waiting.values()].sort((a, b) => a[0] - b[0])
    waiting.clear()
    return offer(held)
  }

  return {
    offer,
    page: (records) => records.flatMap((record) => [...skipTo(firstSeqOf(record) - 1), ...offer([record])]),
    last: () => last,
    hasGap: () => waiting.size > 0,
    skipTo,
  }
}
