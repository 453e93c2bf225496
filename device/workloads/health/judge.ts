import type { Health } from '../../../schemas/workload.ts'
import type { HealthState } from '../../../schemas/workload-status.ts'

/** What one check has found; `none` says nothing either way. */
export type ProbeResult = { kind: 'pass' } | { kind: 'fail'; reason: string } | { kind: 'none' }

/** What is known of the health of a workload, from one check to the next. */
export interface HealthMemory {
  health: HealthState
  /** Why it is unhealthy, or what the last check that failed has said. */
  reason: string | null
  /** Checks in a row that passed, or failed. One of the two is 0. */
  passes: number
  failures: number
}

export const unknownHealth: HealthMemory = { health: 'unknown', reason: null, passes: 0, failures: 0 }

/**
 * Takes in what a check has found. A workload becomes healthy by `healthy_after` checks in a row that pass, and unhealthy by
 * `unhealthy_after` that fail. A failure in the first `start_period_seconds` does not count, and only ends a row of passes; a
 * pass counts from the beginning. Instants are of the monotonic clock.
 */
export const judge = (
  before: HealthMemory,
  result: ProbeResult,
  rules: Pick<Health, 'healthy_after' | 'unhealthy_after' | 'start_period_seconds'>,
  nowMono: number,
  startedMono: number,
): HealthMemory => {
  if (result.kind === 'none') return before
  if (result.kind === 'pass') {
    const passes = before.passes + 1
    if (before.health === 'healthy' || passes >= rules.healthy_after)
      return { health: 'healthy', reason: null, passes, failures: 0 }
    return { ...before, passes, failures: 0 }
  }
  const { reason } = result
  if (nowMono - startedMono < rules.start_period_seconds * 1000) return { ...before, reason, passes: 0, failures: 0 }
  const failures = before.failures + 1
  const isUnhealthy = before.health === 'unhealthy' || failures >= rules.unhealthy_after
  return { health: isUnhealthy ? 'unhealthy' : before.health, reason, passes: 0, failures }
}
