import type { Clock } from './clock.ts'
import { isDamage } from './damage.ts'
import type { Db } from './database.ts'

/**
 * Commits in groups: all work that arrives before the loop comes round shares one transaction, so that an fsync is paid once.
 * `run` resolves with the work's result when it is durable, and rejects when it is not: then nothing of it is stored.
 * A piece of work that throws is undone alone; the rest of its group stands. With `again` a piece may be done twice: it changes no file.
 */
export interface GroupCommit {
  run<T>(work: () => T, outlives?: Outlives): Promise<T>
  /** Does at once what is waiting. */
  flush(): void
}

/**
 * What is written is to outlive: a power cut, for which the group waits for the disk, or only this process. The latter is kept by the kernel
 * until the disk has it, in some seconds or with the next group that waits, and what was written before it is never without it.
 */
export type Outlives = 'power_cut' | 'process'

interface Waiting {
  work: () => unknown
  outlives: Outlives
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

export interface GroupCommitHooks {
  /** Runs inside the transaction after all work of the group: what follows from it belongs to the same commit. */
  before?: () => void
  /** Runs after the commit, before any promise resolves; told how long the commit itself took, and what it was of. */
  committed?: (ms: number, pieces: number) => void
  /** One piece of work has thrown and is undone; the rest of its group stands. */
  undone?: () => void
  /**
   * Given by those whose work can be done once more: what it has derived in memory is made void and read anew. Then a group is first done without a
   * savepoint for each piece, which costs SQLite a copy of every page that a piece touches; when a piece throws, all of it is undone and done again
   * with them.
   */
  again?: () => void
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

  let doesWait = true
  const waitForDisk = (should: boolean): void => {
    if (should === doesWait) return
    db.pragma(`synchronous = ${should ? 'full' : 'normal'}`)
    doesWait = should
  }

  const flush = (): void => {
    scheduled = false
    if (waiting.length === 0) return
    const group = waiting
    waiting = []
    let settle: (() => void)[] = []
    let committing = 0
    try {
      waitForDisk(group.some(({ outlives }) => outlives === 'power_cut'))
      begin.run()
      settle = performAll(group)
      hooks.before?.()
      committing = performance.now()
      commit.run()
    } catch (error) {
      if (db.inTransaction) db.exec('rollback')
      hooks.failed?.(error)
      for (const one of group) one.reject(error)
      return
    }
    hooks.committed?.(performance.now() - committing, group.length)
    for (const call of settle) call()
  }

  const performAll = (group: readonly Waiting[]): (() => void)[] => {
    const { again } = hooks
    if (!again) return group.map(performAlone)
    try {
      return group.map((one) => {
        const value = one.work()
        return () => one.resolve(value)
      })
    } catch (error) {
      if (!db.inTransaction || isDamage(error)) throw error
      db.exec('rollback')
      again()
      begin.run()
      return group.map(performAlone)
    }
  }

  const performAlone = (one: Waiting): (() => void) => {
    savepoint.run()
    try {
      const value = one.work()
      release.run()
      return () => one.resolve(value)
    } catch (error) {
      // A full disk ends the whole transaction; then there is nothing to go back to. A broken file is everybody's trouble.
      if (!db.inTransaction || isDamage(error)) throw error
      undo.run()
      release.run()
      hooks.undone?.()
      return () => one.reject(error)
    }
  }

  return {
    run: <T>(work: () => T, outlives: Outlives = 'power_cut') =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ work, outlives, resolve: resolve as (value: unknown) => void, reject }) // the work's own result comes back to it
        if (scheduled) return
        scheduled = true
        clock.soon(flush)
      }),
    flush,
  }
}
