import type { Clock } from './clock.ts'
import type { Db } from './database.ts'

/**
 * Commits in groups: all work that arrives before the loop comes round shares one transaction, so that an fsync is paid once.
 * `run` resolves with the work's result when it is durable, and rejects when it is not: then nothing of it is stored.
 * A piece of work that throws is undone alone; the rest of its group stands.
 */
export interface GroupCommit {
  run<T>(work: () => T): Promise<T>
  /** Does at once what is waiting. */
  flush(): void
}

interface Waiting {
  work: () => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

export interface GroupCommitHooks {
  /** Runs inside the transaction after all work of the group: what follows from it belongs to the same commit. */
  before?: () => void
  /** Runs after the commit, before any promise resolves. */
  committed?: () => void
  /** The group could not be stored: whatever was derived from it in memory is void. */
  failed?: (error: unknown) => void
}

export const startGroupCommit = (db: Db, clock: Clock, hooks: GroupCommitHooks = {}): GroupCommit => {
  let waiting: Waiting[] = []
  let scheduled = false
  const begin = db.prepare('begin immediate')
  const commit = db.prepare('commit')
  const savepoint = db.prepare('savepoint piece')
  const release = db.prepare('release piece')
  const undo = db.prepare('rollback to piece')

  const flush = (): void => {
    scheduled = false
    if (waiting.length === 0) return
    const group = waiting
    waiting = []
    const settle: (() => void)[] = []
    try {
      begin.run()
      for (const one of group) settle.push(perform(one))
      hooks.before?.()
      commit.run()
    } catch (error) {
      if (db.inTransaction) db.exec('rollback')
      hooks.failed?.(error)
      for (const one of group) one.reject(error)
      return
    }
    hooks.committed?.()
    for (const call of settle) call()
  }

  const perform = (one: Waiting): (() => void) => {
    savepoint.run()
    try {
      const value = one.work()
      release.run()
      return () => one.resolve(value)
    } catch (error) {
      // A full disk ends the whole transaction; then there is nothing to go back to.
      if (!db.inTransaction) throw error
      undo.run()
      release.run()
      return () => one.reject(error)
    }
  }

  return {
    run: <T>(work: () => T) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject }) // the work's own result comes back to it
        if (scheduled) return
        scheduled = true
        clock.soon(flush)
      }),
    flush,
  }
}
