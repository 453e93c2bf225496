import { instant } from '../../schemas/ids.ts'
import type { WorkloadRun, WorkloadStatus } from '../../schemas/workload-status.ts'
import type { LiveWorkload } from './live-workload.ts'
import type { WorkloadRunRow } from './workload-rows.ts'

/** A workload as it is shown and reported. */
export const statusOf = (one: LiveWorkload): WorkloadStatus => {
  const { row, spec, run } = one
  const nextAt = row.state === 'backoff' ? row.retry_at : row.is_wanted === 0 ? null : one.nextAt
  return {
    name: row.name,
    type: spec.type,
    run_mode: spec.run_mode,
    version: spec.version ?? null,
    tags: spec.tags,
    origin: row.origin,
    state: row.state,
    reason: one.blockedBy ?? reasonOf(one),
    health: one.health,
    pid: run?.pid ?? null,
    run_id: run?.row.run_id ?? null,
    run_count: row.run_count,
    failures: row.failures,
    last_exit_code: row.last_exit_code,
    last_error: row.last_error,
    last_started_at: at(row.last_started_at),
    last_ended_at: at(row.last_ended_at),
    next_at: at(nextAt),
    memory_mb: one.memoryBytes === null ? null : Math.round(one.memoryBytes / 1024 / 102.4) / 10,
    digest: row.digest,
  }
}

const reasonOf = ({ row, health, healthReason }: LiveWorkload): string | null =>
  row.state === 'running' && health === 'unhealthy' ? (healthReason ?? 'unhealthy') : row.reason

/** A run of a workload as it is shown. */
export const shownRun = (row: WorkloadRunRow): WorkloadRun => ({
  run_id: row.run_id,
  workload: row.workload,
  cause: row.cause,
  slot: at(row.slot),
  state: row.state,
  reason: row.reason,
  exit_code: row.exit_code,
  signal: row.signal,
  started_at: at(row.started_at),
  ended_at: at(row.ended_at),
  duration_seconds: row.started_at === null || row.ended_at === null ? null : Math.max(0, row.ended_at - row.started_at) / 1000,
})

const at = (ms: number | null): string | null => (ms === null ? null : instant(ms))
