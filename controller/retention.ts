import { type Clock, every, sleep } from '../base/clock.ts'
import type { Db } from '../base/database.ts'
import type { Log } from '../base/log.ts'
import { eventsOf } from '../schemas/sources.ts'
import type { Reading } from './reading/reading.ts'
import type { EndedTask } from './store/ended.ts'
import type { Store } from './store/store.ts'

/** How long what has ended is kept, and how much of it. */
export interface RetentionPolicy {
  taskAgeMs: number
  taskCount: number
  logAgeMs: number
  logBytes: number
}

export const keepAll: RetentionPolicy = {
  taskAgeMs: Number.POSITIVE_INFINITY,
  taskCount: Number.MAX_SAFE_INTEGER,
  logAgeMs: Number.POSITIVE_INFINITY,
  logBytes: Number.POSITIVE_INFINITY,
}

export interface RetentionDeps {
  store: Store
  reading: Reading
  clock: Clock
  log: Log
  policy: RetentionPolicy
  removed: (tasks: number) => void
}

const sweepEveryMs = 60_000
/** A slice ends after this time, and then others have their turn: at most a quarter of the loop's time goes into it. */
const sliceMs = 3
const pauseMs = 10
const batch = 100
/** Of one task or one log at a time: a wide fan-out or a long log is removed in several slices. */
const mostRuns = 200
const mostChunks = 8
/** How long tokens that have expired are remembered. */
const tokenMs = 30 * 24 * 3600 * 1000

/**
 * Removes what has ended and is old, or more than is to be kept, oldest first: in slices of a few milliseconds, so that nobody waits. What has not ended
 * is never touched. The logs of a task go before it, so that a crash in between leaves nothing that nobody knows of.
 */
export const startRetention = (deps: RetentionDeps) => {
  const { store, reading, clock, log, policy } = deps
  const closed = new AbortController()
  const isClosed = (): boolean => closed.signal.aborted
  let sweeping: Promise<void> = Promise.resolve()
  /** Logs of tasks up to here are gone already. */
  let logsUpTo = { ended_at: 0, n: 0 }

  /**
   * Works until it is done, a slice at a time, each a transaction of its own that does not wait for the disk: what a power cut undoes is old again and
   * removed again, and the next commit that must be durable takes these along.
   */
  const inSlices = async (db: Db, step: () => boolean): Promise<void> => {
    const slice = db.transaction((): boolean => {
      const until = performance.now() + sliceMs
      while (performance.now() < until) if (step()) return true
      return false
    })
    for (let isDone = false; !isDone && !isClosed(); ) {
      db.pragma('synchronous = normal')
      try {
        isDone = slice()
      } finally {
        db.pragma('synchronous = full')
      }
      await sleep(clock, pauseMs, closed.signal)
    }
  }

  const purgeLogs = async (tasks: readonly EndedTask[], thenForget: boolean): Promise<void> => {
    const runs = tasks
      .flatMap((task) => store.ended.runsOf(task.task_id))
      .flatMap((run) => [run, eventsOf(run)])
      .filter((run) => (thenForget ? store.logs.extent(run).last_seq > 0 : store.logs.has(run)))
    if (runs.length === 0) return
    await inSlices(store.logDb, () => {
      const run = runs[0]
      if (run === undefined) return true
      if (!store.logs.purge(run, mostChunks)) return false
      if (thenForget) store.logs.forget(run)
      runs.shift()
      return runs.length === 0
    })
  }

  const removeTasks = async (before: number): Promise<number> => {
    let count = 0
    while (!isClosed()) {
      const tasks = store.ended.oldest(before, batch)
      if (tasks.length === 0) break
      await purgeLogs(tasks, true)
      const left = [...tasks]
      await inSlices(store.db, () => {
        const task = left[0]
        if (task && store.ended.remove(task, mostRuns)) left.shift()
        return left.length === 0
      })
      count += tasks.length - left.length
      deps.removed(tasks.length - left.length)
    }
    return count
  }

  /** Logs by age, and then, oldest first, until what is left fits. */
  const removeLogs = async (before: number, bytes: number): Promise<void> => {
    const isOver = store.logs.usedBytes() > bytes
    // What else is in that database has its own measure.
    const mostBytes = isOver ? bytes + (await reading.metricsBytes()) : bytes
    while (!isClosed()) {
      const isFull = store.logs.usedBytes() > mostBytes
      const tasks = store.ended.after(logsUpTo, isFull ? Number.MAX_SAFE_INTEGER : before, batch)
      const last = tasks.at(-1)
      if (!last) return
      await purgeLogs(tasks, false)
      logsUpTo = last
      await sleep(clock, pauseMs, closed.signal)
    }
  }

  const sweep = async (tasksBefore: number): Promise<void> => {
    const now = clock.now()
    const startedAt = clock.mono()
    const byCount = await reading.endOf(policy.taskCount)
    // The youngest that is too many goes with all that ended in its millisecond.
    const tasks = await removeTasks(Math.max(tasksBefore, byCount === undefined ? 0 : byCount + 1))
    if (tasks > 0) log.info({ tasks, ms: clock.mono() - startedAt }, 'old tasks were removed')
    await removeLogs(now - policy.logAgeMs, policy.logBytes)
    if (store.ended.hasTokens(now - tokenMs)) store.ended.removeTokens(now - tokenMs)
  }

  /** One sweep at a time, in the order in which they were asked for. */
  const next = (tasksBefore: number): Promise<void> => {
    sweeping = sweeping
      .then(() => (isClosed() ? undefined : sweep(tasksBefore)))
      .catch((error: unknown) => {
        if (!isClosed()) log.error({ err: error }, 'what is old could not be removed; tried again in a minute')
      })
    return sweeping
  }
  let isBusy = false
  const timer = every(clock, sweepEveryMs, () => {
    if (isBusy) return
    isBusy = true
    void next(clock.now() - policy.taskAgeMs).then(() => {
      isBusy = false
    })
  })

  return {
    policy,
    /** Removes tasks that ended before an instant, and what is due anyway. */
    sweep: next,
    close: async (): Promise<void> => {
      closed.abort()
      timer.cancel()
      await sweeping
    },
  }
}
export type Retention = ReturnType<typeof startRetention>
