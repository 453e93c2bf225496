import { fullJitterMs } from '../../base/backoff.ts'
import type { TerminalRunState } from '../../schemas/run-states.ts'
import { type Options, optionDefaults } from '../../schemas/task.ts'
import type { TerminalTaskState } from '../../schemas/task-states.ts'

export type AfterRun =
  | { kind: 'retry'; dueAt: number; reason: string }
  | { kind: 'end'; as: TerminalTaskState; reason: string | null }

/**
 * Decides what follows when a run of a task has ended. `tries` counts this run. A run that failed, timed out or was lost is
 * tried again up to `options.retries` times, after a wait that doubles, with jitter between half and all of it.
 */
export const afterRun = (
  run: { state: TerminalRunState; reason: string | null; tries: number },
  options: Options,
  isCancelled: boolean,
  now: number,
  random: number,
): AfterRun => {
  if (isCancelled) return { kind: 'end', as: 'cancelled', reason: run.reason }
  const retries = options.retries ?? optionDefaults.retries
  const mayRetry = run.state === 'failed' || run.state === 'timed_out' || run.state === 'lost'
  if (mayRetry && run.tries <= retries) {
    const first = (options.retry_backoff_seconds ?? optionDefaults.retry_backoff_seconds) * 1000
    const ceiling = fullJitterMs(run.tries - 1, 1, first, Math.max(first, maxBackoffMs))
    const waitMs = Math.round(ceiling / 2 + (random * ceiling) / 2)
    return {
      kind: 'retry',
      dueAt: now + waitMs,
      reason: `retry ${run.tries} of ${retries} after ${run.state}${run.reason ? `: ${run.reason}` : ''}`,
    }
  }
  if (run.state === 'rejected' && run.reason === 'expired')
    return { kind: 'end', as: 'expired', reason: 'not started within start_within_seconds' }
  return { kind: 'end', as: run.state, reason: run.reason }
}

/** Where the doubling ends, unless the first wait is longer already. */
const maxBackoffMs = 3_600_000

const severity: readonly TerminalTaskState[] = ['failed', 'timed_out', 'lost', 'rejected', 'expired', 'cancelled', 'succeeded']

/** The worse of two ends: a fan-out has succeeded only if every part has. */
export const worse = (a: TerminalTaskState | null, b: TerminalTaskState): TerminalTaskState =>
  a !== null && severity.indexOf(a) <= severity.indexOf(b) ? a : b
