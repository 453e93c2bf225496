import type { WorkloadSpec } from '../../schemas/workload.ts'
import { afterExit } from './after-exit.ts'
import type { WorkloadRow, WorkloadRunRow } from './workload-rows.ts'

export interface EndedRun {
  row: WorkloadRow
  spec: WorkloadSpec
  /** With its outcome. */
  run: WorkloadRunRow
  errors: string
  livedMs: number
  /** The machine was started anew meanwhile: that is nobody's failure. */
  isRebooted: boolean
  isShuttingDown: boolean
  /** When it ended: by the wall clock, and by the monotonic one of this boot. */
  now: number
  mono: number
  boot: string
  /** In [0, 1). */
  chance: number
}

/** What becomes of a workload when a run of it has ended, and what its log says of that. */
export const decideNext = (ended: EndedRun): { row: WorkloadRow; say: string } => {
  const { run, now } = ended
  const isFailure = run.state === 'failed' || run.state === 'timed_out'
  const row: WorkloadRow = {
    ...ended.row,
    last_ended_at: now,
    last_exit_code: run.exit_code,
    last_error: isFailure ? textOf(run.reason, ended.errors) : ended.row.last_error,
  }
  const after = run.started_at === null ? '' : ` after ${seconds(ended.livedMs)}`
  const how = `${run.reason ?? 'exited with 0'}${after}`
  const becomes = (more: Partial<WorkloadRow>, say = how): { row: WorkloadRow; say: string } => ({
    row: { ...row, ...more },
    say,
  })

  if (row.is_wanted === 0) return becomes({ state: 'stopped', reason: run.reason })
  // A shutdown in the middle of something else is only a pause of it. What has done its work just then is not to do it again.
  const isOneOfMany = ended.spec.run_mode === 'n_times'
  if (run.stop_for === 'shutdown' || (ended.isShuttingDown && !(isOneOfMany && run.state === 'succeeded'))) {
    const run_count = Math.max(0, row.run_count - (isOneOfMany ? 1 : 0))
    return becomes({ state: 'registered', reason: 'the device has shut down', run_count })
  }
  // Asked for by somebody: it begins again at once, and nothing is held against it.
  if (run.state === 'stopped') return becomes({ state: 'registered', reason: null })
  if (ended.isRebooted && ended.spec.run_mode !== 'n_times') return becomes({ state: 'registered', reason: run.reason })

  const { next, memory } = afterExit({
    spec: ended.spec,
    memory: {
      runCount: row.run_count - 1,
      succeeded: row.successes,
      failures: row.failures,
      recentMs: JSON.parse(row.recent) as number[], // stored from numbers
    },
    end: {
      outcome: isFailure ? 'failed' : 'succeeded',
      livedMs: ended.livedMs,
      ...(run.reason === null ? {} : { reason: run.reason }),
    },
    chance: ended.chance,
  })
  const counts = { successes: memory.succeeded, failures: memory.failures, recent: JSON.stringify(memory.recentMs) }
  switch (next.kind) {
    case 'restart':
      return becomes(
        {
          ...{ ...counts, state: 'backoff', reason: run.reason ?? 'exited with 0' },
          ...{
            retry_at: Math.round(now + next.afterMs),
            retry_mono: Math.round(ended.mono + next.afterMs),
            retry_boot: ended.boot,
          },
        },
        `${how}; starting again in ${seconds(next.afterMs)}`,
      )
    case 'wait':
      return becomes({ ...counts, state: 'registered', reason: isFailure ? `the last run failed: ${run.reason}` : null })
    case 'completed':
      return becomes({ ...counts, state: 'completed', reason: next.reason }, `${how}; completed`)
    case 'failed':
      return becomes({ ...counts, state: 'failed', reason: next.reason }, `${how}; failed: ${next.reason}`)
    case 'crash_loop':
      return becomes(
        { ...counts, state: 'crash_loop', reason: next.reason },
        `${how}; not started again: ${next.reason}. A start by hand or a change of its spec begins anew`,
      )
  }
}

const seconds = (ms: number): string => `${ms < 10_000 ? Math.round(ms) / 1000 : Math.round(ms / 100) / 10} s`

/** The reason, and the last of what was written to stderr. */
const textOf = (reason: string | null, errors: string): string => {
  const tail = errors.trim()
  return tail === '' ? (reason ?? 'failed') : `${reason ?? 'failed'}: ${tail}`.slice(-600)
}
