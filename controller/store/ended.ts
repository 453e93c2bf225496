import type { Db } from '../../base/database.ts'

/** A task that has ended and of which nothing is open any more. */
export interface EndedTask {
  n: number
  task_id: string
  ended_at: number
}

/** What has ended, by age: the part of tasks and runs that may be removed. */
export const createEnded = (db: Db) => {
  // A cancel that is not confirmed may have processes left: its task stays.
  const closed = `not exists (select 1 from run where run.task_id = task.task_id and (run.ended_at is null or run.confirmed = 0))`
  const oldest = db.prepare<[number, number], EndedTask>(`
    select n, task_id, ended_at from task where ended_at is not null and ended_at < ? and ${closed} order by ended_at limit ?`)
  const after = db.prepare<{ at: number; n: number; before: number; limit: number }, EndedTask>(`
    select n, task_id, ended_at from task where ended_at is not null and ended_at >= @at and (ended_at > @at or n > @n) and ended_at < @before
      and ${closed} order by ended_at, n limit @limit`)
  const runIds = db.prepare<[string], { run_id: string }>('select run_id from run where task_id = ?')
  const removeRuns = db.prepare<[string, number]>(
    'delete from run where run_id in (select run_id from run where task_id = ? limit ?)',
  )
  const removeNotes = db.prepare<[string]>('delete from note where task_id = ?')
  const removeTask = db.prepare<[number]>('delete from task where n = ?')
  const count = db.prepare<[number], { count: number }>(`
    select count(*) as count from task where ended_at is not null and ended_at < ? and ${closed}`)
  const nth = db.prepare<[number], { ended_at: number }>(
    'select ended_at from task where ended_at is not null order by ended_at desc limit 1 offset ?',
  )
  const anyToken = db.prepare<[number], { jti: string }>('select jti from token where expires_at < ? limit 1')
  const removeTokens = db.prepare<[number]>('delete from token where expires_at < ?')

  return {
    /** The oldest that ended before an instant. */
    oldest: (before: number, limit: number): EndedTask[] => oldest.all(before, limit),
    /** Those that ended before an instant, in order, after one that was already looked at. */
    after: (last: { ended_at: number; n: number }, before: number, limit: number): EndedTask[] =>
      after.all({ at: last.ended_at, n: last.n, before, limit }),
    runsOf: (taskId: string): string[] => runIds.all(taskId).map((one) => one.run_id),
    /** Removes a task with all that hangs on it, or some of its runs, if there are many: then it says false. */
    remove: (task: EndedTask, mostRuns: number): boolean => {
      if (removeRuns.run(task.task_id, mostRuns).changes >= mostRuns) return false
      removeNotes.run(task.task_id)
      removeTask.run(task.n)
      return true
    },
    count: (before: number): number => count.get(before)?.count ?? 0,
    /** When the task ended of which `keep` are younger; undefined if there are not so many. */
    endOf: (keep: number): number | undefined => nth.get(keep)?.ended_at,
    /** Tokens that would not hold any more, revoked or not. */
    removeTokens: (expiredBefore: number): void => {
      removeTokens.run(expiredBefore)
    },
    hasTokens: (expiredBefore: number): boolean => anyToken.get(expiredBefore) !== undefined,
  }
}
export type Ended = ReturnType<typeof createEnded>
