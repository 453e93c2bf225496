import type { Clock } from '../base/clock.ts'
import { optionDefaults } from '../schemas/task.ts'
import type { Journal, StopReason } from './journal.ts'
import type { Live, LiveRuns } from './live-runs.ts'

export interface StoppingDeps {
  journal: Journal
  live: LiveRuns
  clock: Clock
  report: (error: unknown) => void
}

/** Of a run that was given up, how long before a retry may begin SIGKILL is sent at the latest. */
const killMarginMs = 5000

/** Stops runs: because somebody says so, because their time is over, or because their controller must have given them up. */
export const createStopping = ({ journal, live, clock, report }: StoppingDeps) => {
  const graceMs = (one: Live): number => {
    const wantedMs = (one.orders.options.stop_grace_seconds ?? optionDefaults.stop_grace_seconds) * 1000
    // A retry may begin when the controller gives the run up: by then even what ignores SIGTERM has to be gone.
    return one.row.stop_for === 'given_up' ? Math.min(wantedMs, Math.max(0, marginMs(one, wantedMs) - killMarginMs)) : wantedMs
  }

  /** How long before the controller gives a run up its device begins to stop it. */
  const marginMs = (one: Live, wantedGraceMs: number): number =>
    Math.min(wantedGraceMs + killMarginMs, ((one.orders.given_up_after_seconds ?? 0) * 1000) / 2)

  const signal = (one: Live): void => {
    // Whoever has had its time is not asked to end what it is at.
    if (one.row.stop_for === 'timed_out' && one.handle?.cutOff) one.handle.cutOff(graceMs(one))
    else one.handle?.stop(graceMs(one))
  }

  const stop = (one: Live, why: StopReason): void => {
    if (one.row.stop_for !== null) return signal(one)
    const decide = (): void => {
      one.row = { ...one.row, stop_for: one.row.stop_for ?? why }
    }
    live.change(one, decide).then(
      () => signal(one),
      (error: unknown) => {
        report(error)
        // A full disk must not keep a program alive that has to end.
        decide()
        signal(one)
      },
    )
  }

  const isGivenUp = (one: Live): boolean => {
    const seconds = one.orders.given_up_after_seconds
    const silentMs = clock.mono() - Math.max(journal.heardMono(), one.row.heard_mono)
    return seconds !== undefined && silentMs >= seconds * 1000 - marginMs(one, graceMs(one))
  }

  return {
    stop,
    /** Stops a run for the reason that is in the journal already. */
    signal,
    isGivenUp,
    /** Ends what the controller has given up by now, if the task asked for that. A little earlier than the controller would. */
    stopGivenUp: (): void => {
      for (const one of live.byId.values()) if (one.row.stop_for === null && isGivenUp(one)) stop(one, 'given_up')
    },
    /** The time that a run may take counts from its start, also through a restart of the daemon. */
    startTimeout: (one: Live): void => {
      const seconds = one.orders.options.timeout_seconds
      if (seconds === undefined || one.timeout !== null) return
      const spentMs = clock.mono() - (one.row.started_mono ?? clock.mono())
      one.timeout = clock.after(Math.max(0, seconds * 1000 - spentMs), () => stop(one, 'timed_out'))
    },
  }
}
export type Stopping = ReturnType<typeof createStopping>
