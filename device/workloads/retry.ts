import type { Clock } from '../../base/clock.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { WorkloadRow } from './workload-rows.ts'

/**
 * The ms until a workload in backoff starts again. Within one boot they count by the monotonic clock, as nobody can set it; after a reboot
 * only the wall clock can tell, and as that may have been set back, no wait is longer than the longest there is.
 */
export const retryInMs = (row: WorkloadRow, spec: WorkloadSpec, boot: string, clock: Clock): number => {
  if (row.state !== 'backoff' || row.retry_at === null) return 0
  const isSameBoot = row.retry_boot === boot && row.retry_mono !== null
  const leftMs = isSameBoot ? (row.retry_mono ?? 0) - clock.mono() : row.retry_at - clock.now()
  const { delay_seconds, max_delay_seconds, jitter } = spec.restart
  const mostMs = Math.max(delay_seconds, max_delay_seconds) * (1 + jitter) * 1000
  return Math.max(0, Math.min(mostMs, leftMs))
}
