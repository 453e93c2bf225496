import type { GroupCommit } from '../base/group-commit.ts'
import type { RunChange } from '../schemas/exchange.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { eventsOf } from '../schemas/sources.ts'
import type { Journal, JournalRun } from './journal.ts'
import type { Shelf } from './logs/shelf.ts'
import { changeOf, logOf } from './run-rows.ts'

export interface SettlementDeps {
  journal: Journal
  commits: GroupCommit
  shelf: Shelf
  now: () => number
  report: (error: unknown) => void
}

/**
 * Follows ended runs until the controller has acknowledged all of them: their last change and their whole log. Only then are
 * they done, and later forgotten.
 */
export const createSettlement = ({ journal, commits, shelf, now, report }: SettlementDeps) => {
  /** Ended runs of which something is not acknowledged yet, with the number of their last change. */
  const open = new Map<string, number>()

  /** Of most there are no events, and what is not open is not asked for. */
  const hasAll = (run: string): boolean => {
    const events = shelf.get(eventsOf(run))
    return shelf.acked(run) >= shelf.last(run) && (!events || events.acked() >= events.last())
  }

  return {
    /** The end of a run is in the journal as this change. */
    ended: (run: string, seq: number): void => {
      open.set(run, seq)
    },
    /** A run that an earlier daemon saw end. */
    resume: (row: JournalRun): void => {
      open.set(row.run_id, journal.hasUnacknowledgedChange(row.run_id) ? journal.stream('runs').last : 0)
    },
    /** Inside a transaction: the controller asks again about something we know. It is told again, unless that is on its way already. */
    answerAgain: (row: JournalRun): void => {
      if (journal.hasUnacknowledgedChange(row.run_id)) return
      const result = row.result === null ? {} : (JSON.parse(row.result) as Partial<RunChange>) // stored as it was told
      const seq = journal.appendChange(changeOf(row, now(), isRunOver(row.state) ? { ...result, log: logOf(row) } : {}))
      if (!isRunOver(row.state)) return
      open.set(row.run_id, seq)
      if (row.done === 1) journal.updateRun({ ...row, done: 0 })
    },
    /** Marks as done what is acknowledged by now. */
    settle: (): void => {
      const acked = journal.stream('runs').acked
      const settled = [...open].filter(([run, seq]) => acked >= seq && hasAll(run)).map(([run]) => run)
      if (settled.length === 0) return
      commits
        .run(() => {
          for (const run of settled) {
            const row = journal.run(run)
            if (row) journal.updateRun({ ...row, done: 1 })
          }
        })
        .then(() => {
          for (const run of settled) {
            open.delete(run)
            shelf.settled(run)
            shelf.settled(eventsOf(run))
          }
        }, report)
    },
  }
}
export type Settlement = ReturnType<typeof createSettlement>
