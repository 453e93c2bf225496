import type { Db } from '../../base/database.ts'

/** How many tasks were submitted in each minute, and how they ended; `failed` is every end that is neither success nor cancel. */
export interface Throughput {
  submitted: number[]
  succeeded: number[]
  failed: number[]
  cancelled: number[]
}

const minuteMs = 60_000

/** Counts tasks by the minute, each minute from indexes that cover it: the tasks themselves are not read, and nothing is sorted. */
export const createThroughput = (db: Db) => {
  const submittedIn = db.prepare<[number, number], { count: number }>(
    'select count(*) as count from task where created_at >= ? and created_at < ?',
  )
  const endedIn = db.prepare<[number, number], { count: number; succeeded: number; cancelled: number }>(`
    select count(*) as count, total(state = 'succeeded') as succeeded, total(state = 'cancelled') as cancelled
    from task where ended_at is not null and ended_at >= ? and ended_at < ?`)

  return {
    /** Of so many minutes from an instant on. */
    between: (from: number, minutes: number): Throughput => {
      const counts: Throughput = { submitted: [], succeeded: [], failed: [], cancelled: [] }
      for (let at = from; at < from + minutes * minuteMs; at += minuteMs) {
        const ended = endedIn.get(at, at + minuteMs) ?? { count: 0, succeeded: 0, cancelled: 0 }
        counts.submitted.push(submittedIn.get(at, at + minuteMs)?.count ?? 0)
        counts.succeeded.push(ended.succeeded)
        counts.cancelled.push(ended.cancelled)
        counts.failed.push(ended.count - ended.succeeded - ended.cancelled)
      }
      return counts
    },
  }
}
