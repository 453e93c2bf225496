import type { RunChange } from '../../schemas/exchange.ts'
import { isRunOver, type RunState, runTransition } from '../../schemas/run-states.ts'

/** The part of a run that reports change. Instants are milliseconds. */
export interface ReportedRun {
  state: RunState
  reason: string | null
  exit_code: number | null
  signal: string | null
  dispatched_at: number
  accepted_at: number | null
  started_at: number | null
  ended_at: number | null
  cancel_requested_at: number | null
  confirmed: number | null
  log: string | null
  late: string | null
  agent: string | null
}

/**
 * What a device's word makes of a run: the changed run, or nothing if the word is stale.
 * Cancel wins from its commit: whatever a cancelled run came to on its device is kept as `late`, and confirms the cancel.
 */
export const applyReport = <R extends ReportedRun>(run: R, change: RunChange, now: number): R | undefined => {
  // A device's clock may be wrong: what it says lies between what is known to have come before and now.
  const earliest = Math.max(run.dispatched_at, run.accepted_at ?? 0, run.started_at ?? 0)
  const at = Math.max(earliest, Math.min(now, Date.parse(change.at)))
  const log = change.log ? JSON.stringify(change.log) : run.log
  const agent = change.agent ? JSON.stringify({ ...change.agent, events: change.events?.last_seq ?? 0 }) : run.agent
  const late = () =>
    JSON.stringify({
      state: change.state,
      at: new Date(at).toISOString(),
      reason: change.reason ?? null,
      exit_code: change.exit_code ?? null,
    })
  const isEnd = isRunOver(change.state)

  if (isRunOver(run.state)) {
    if (!isEnd) return undefined
    const unconfirmed = run.state === 'cancelled' && run.confirmed === 0
    if (!unconfirmed && run.late !== null) return undefined
    if (!unconfirmed && change.state === run.state && run.log !== null) return undefined
    return {
      ...run,
      log,
      agent,
      confirmed: run.state === 'cancelled' ? 1 : run.confirmed,
      late: change.state === run.state ? run.late : late(),
    }
  }
  if (isEnd && run.cancel_requested_at !== null) {
    return {
      ...run,
      state: 'cancelled',
      reason: 'cancelled',
      exit_code: change.exit_code ?? null,
      signal: change.signal ?? null,
      confirmed: 1,
      ended_at: Math.max(at, run.cancel_requested_at),
      log,
      agent,
      late: change.state === 'cancelled' ? null : late(),
    }
  }
  if (runTransition(run.state, change.state).kind !== 'change') return undefined
  return {
    ...run,
    state: change.state,
    reason: change.reason ?? null,
    exit_code: change.exit_code ?? run.exit_code,
    signal: change.signal ?? run.signal,
    accepted_at: run.accepted_at ?? at,
    started_at: change.state === 'running' || (isEnd && change.state !== 'rejected') ? (run.started_at ?? at) : run.started_at,
    ended_at: isEnd ? at : null,
    log,
    agent,
  }
}
