import type { WorkloadSpec } from '../../schemas/workload.ts'

/** What is remembered of the runs of a workload from one to the next. A change of its spec or a start by hand begins with `noRuns`. */
export interface RunMemory {
  /** Runs that have ended. */
  runCount: number
  /** Of these, the ones that succeeded. */
  succeeded: number
  /** Runs in a row that failed, up to the last one. */
  failures: number
  /** How long each run of that row lasted, newest last; no more of them than the crash loop looks at. */
  recentMs: readonly number[]
}

export const noRuns: RunMemory = { runCount: 0, succeeded: 0, failures: 0, recentMs: [] }

export interface RunEnd {
  outcome: 'succeeded' | 'failed'
  livedMs: number
  /** Why it failed, as in `exit code 3`. */
  reason?: string
}

export type AfterExit =
  | { kind: 'restart'; afterMs: number }
  /** For the next firing of its schedule. */
  | { kind: 'wait' }
  | { kind: 'completed'; reason: string | null }
  | { kind: 'failed'; reason: string }
  | { kind: 'crash_loop'; reason: string }

export interface AfterExitInput {
  spec: Pick<WorkloadSpec, 'run_mode' | 'restart' | 'max_runs'>
  /** Before this run. */
  memory: RunMemory
  end: RunEnd
  /** In [0, 1). */
  chance: number
}

/**
 * Decides what follows the end of a run, and what is remembered of it. A run that was stopped on demand is none to decide about.
 *
 * `schedule` waits for its next firing, whatever the policy: a firing is one run.
 * `forever` by policy:
 *   always       (default) is started again, also after a clean exit
 *   on-failure   is completed at the first run that succeeds
 *   never        is completed or failed after one run
 * `n_times` by policy:
 *   always       (default) has `max_runs` runs, whatever becomes of each. Then it is failed if none of them succeeded, else
 *                completed, with the number of failed ones as the reason: somebody who asked for three runs got three, but
 *                one that never did its work must not look as if it had
 *   on-failure   is completed at the first run that succeeds, and failed if none of `max_runs` does: so many tries
 *   never        goes on while runs succeed, and is failed at the first that does not
 *
 * After a success the wait is `delay_seconds`. After failures in a row it is doubled from the second one on, up to
 * `max_delay_seconds` (a larger `delay_seconds` counts as that), and spread by `jitter`; the first restart comes exactly after
 * `delay_seconds`. A success ends the row, and so does a run that lasted `reset_after_seconds`: should it fail, it is the first again.
 *
 * A `forever` workload is in a crash loop when `starts` failed runs in a row together lasted less than `within_seconds`. The
 * waits between them do not count, so it is found with any delay. `n_times` has no crash loop: `max_runs` ends it.
 */
export const afterExit = ({ spec, memory, end, chance }: AfterExitInput): { next: AfterExit; memory: RunMemory } => {
  const after = remember(spec.restart, memory, end)
  return { next: decide(spec, after, end, chance), memory: after }
}

type Restart = WorkloadSpec['restart']

const remember = (restart: Restart, before: RunMemory, end: RunEnd): RunMemory => {
  const runCount = before.runCount + 1
  if (end.outcome === 'succeeded') return { runCount, succeeded: before.succeeded + 1, failures: 0, recentMs: [] }
  if (end.livedMs >= restart.reset_after_seconds * 1000)
    return { runCount, succeeded: before.succeeded, failures: 1, recentMs: [] }
  const row = restart.crash_loop ? [...before.recentMs, end.livedMs].slice(-restart.crash_loop.starts) : []
  return { runCount, succeeded: before.succeeded, failures: before.failures + 1, recentMs: row }
}

const decide = (spec: AfterExitInput['spec'], after: RunMemory, end: RunEnd, chance: number): AfterExit => {
  const again: AfterExit = { kind: 'restart', afterMs: waitMs(spec.restart, after.failures, chance) }
  switch (spec.run_mode) {
    case 'schedule':
      return { kind: 'wait' }
    case 'forever':
      return afterForever(spec.restart, after, end, again)
    case 'n_times':
      return afterOneOfMany(spec, after, end, again)
  }
}

const afterForever = (restart: Restart, after: RunMemory, end: RunEnd, again: AfterExit): AfterExit => {
  const policy = restart.policy ?? 'always'
  if (end.outcome === 'succeeded') return policy === 'always' ? again : { kind: 'completed', reason: null }
  if (policy === 'never') return { kind: 'failed', reason: withReason('the run failed', end) }
  if (!restart.crash_loop) return again
  const { starts, within_seconds } = restart.crash_loop
  const togetherMs = after.recentMs.reduce((sum, ms) => sum + ms, 0)
  if (after.recentMs.length < starts || togetherMs >= within_seconds * 1000) return again
  const row = starts === 1 ? 'a run failed' : `${starts} runs in a row failed`
  return { kind: 'crash_loop', reason: withReason(`${row} after ${(togetherMs / 1000).toFixed(1)} s of running`, end) }
}

const afterOneOfMany = (spec: AfterExitInput['spec'], after: RunMemory, end: RunEnd, again: AfterExit): AfterExit => {
  const policy = spec.restart.policy ?? 'always'
  const runs = spec.max_runs ?? 1
  if (policy === 'on-failure' && end.outcome === 'succeeded') return { kind: 'completed', reason: null }
  if (policy === 'never' && end.outcome === 'failed')
    return { kind: 'failed', reason: withReason(`run ${after.runCount} of ${runs} failed`, end) }
  if (after.runCount < runs) return again
  const failed = after.runCount - after.succeeded
  if (after.succeeded === 0)
    return { kind: 'failed', reason: withReason(failed === 1 ? 'the run failed' : `all ${failed} runs failed`, end) }
  return { kind: 'completed', reason: failed === 0 ? null : `${failed} of ${after.runCount} runs failed` }
}

const withReason = (what: string, end: RunEnd): string => (end.reason === undefined ? what : `${what}: ${end.reason}`)

const waitMs = (restart: Restart, failures: number, chance: number): number => {
  const delayMs = restart.delay_seconds * 1000
  if (failures < 2) return delayMs
  // Beyond 2^30 every wait is at its cap, and 2^1024 times a delay of 0 is no number.
  const doubledMs = delayMs * 2 ** Math.min(failures - 1, 30)
  const cappedMs = Math.min(doubledMs, Math.max(delayMs, restart.max_delay_seconds * 1000))
  // Above the cap too: what broke together on many devices must not come back together.
  return cappedMs * (1 + restart.jitter * chance)
}
