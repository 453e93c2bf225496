import type { Timer } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { RunOrder } from '../schemas/exchange.ts'
import type { Journal, JournalRun } from './journal.ts'
import type { RunLog } from './logs/run-log.ts'
import type { RunHandle } from './runner.ts'

/** A run that this daemon looks after. */
export interface Live {
  row: JournalRun
  orders: RunOrder
  log: RunLog
  /** What an agent does; there is none before it has done something. */
  events: RunLog | null
  handle: RunHandle | null
  timeout: Timer | null
  isPaused: boolean
}

/** The runs that this daemon looks after. What is told about them becomes true by `change`, when it is in the journal. */
export interface LiveRuns {
  readonly byId: Map<string, Live>
  /** Stores something about a run. Its row in memory is what is stored; if that fails, it is what was stored before. */
  change(one: Live, work: () => void): Promise<void>
}

export const createLiveRuns = (journal: Journal, commits: GroupCommit): LiveRuns => ({
  byId: new Map(),
  change: (one, work) =>
    commits
      .run(() => {
        work()
        journal.updateRun(one.row)
      })
      .catch((error: unknown) => {
        journal.forgetUncommitted()
        one.row = journal.run(one.row.run_id) ?? one.row
        throw error
      }),
})
