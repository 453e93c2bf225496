import { type DeploymentState, isDeploymentOver } from '../../../schemas/deployment.ts'
import type { Rollout } from './rollout.ts'

/** What happens to a rollout. */
export type RolloutEvent =
  | { kind: 'begin' }
  | { kind: 'pause'; reason: string }
  | { kind: 'resume'; reason: string }
  | { kind: 'complete'; reason: string | null }
  | { kind: 'fail'; reason: string }
  | { kind: 'cancel'; reason: string }
  | { kind: 'roll_back'; reason: string }
  | { kind: 'be_back'; reason: string }

/**
 * The life of a rollout:
 *
 *   pending ──begin──▶ in_progress ──complete──▶ completed ─────────────────┐
 *      │                │   ▲   │                                           │
 *      │          pause │   │   ├──────fail─────▶ failed ◀──fail──┐         │ roll_back
 *      │                ▼ resume│                 │              │         │
 *      ├──pause──▶    paused    │                 └──roll_back──▶ rolling_back ──be_back──▶ rolled_back
 *      │                │   ▲   │                                 │   ▲
 *      │                │   └───┼────────pause / resume───────────┘   │
 *      ├──cancel──▶     ├───────┴──cancel──▶ cancelled ───roll_back───┤
 *      └────────────────┴──────────────────────────────roll_back──────┘
 *
 * A paused one fails, is cancelled and is rolled back as what it was before; one that is rolling back is not cancelled.
 * An event that a state does not expect is stale: nothing changes.
 */
export const rolloutTransition = (rollout: Rollout, event: RolloutEvent, now: number): Rollout => {
  const to = nextState(rollout, event)
  if (to === undefined) return rollout
  return {
    ...rollout,
    state: to,
    reason: reasonAfter(rollout, event),
    startedAt: to === 'in_progress' ? (rollout.startedAt ?? now) : rollout.startedAt,
    endedAt: isDeploymentOver(to) ? now : null,
    pausedFrom: to === 'paused' ? (rollout.state === 'rolling_back' ? 'rolling_back' : 'in_progress') : null,
  }
}

const reasonAfter = ({ state, reason, pausedFrom }: Rollout, event: RolloutEvent): string | null => {
  if (event.kind === 'begin') return null
  // Why it is rolled back stays, whoever pauses that.
  if (event.kind === 'pause' && state === 'rolling_back') return `${reason}; ${event.reason}`
  if (event.kind === 'resume' && pausedFrom === 'rolling_back') return (reason ?? '').slice(0, reason?.lastIndexOf('; '))
  return event.reason
}

const nextState = ({ state, pausedFrom }: Rollout, event: RolloutEvent): DeploymentState | undefined => {
  const isForward = state === 'in_progress' || (state === 'paused' && pausedFrom === 'in_progress')
  switch (event.kind) {
    case 'begin':
      return state === 'pending' ? 'in_progress' : undefined
    case 'pause':
      return state === 'pending' || state === 'in_progress' || state === 'rolling_back' ? 'paused' : undefined
    case 'resume':
      return state === 'paused' ? (pausedFrom ?? undefined) : undefined
    case 'complete':
      return state === 'in_progress' ? 'completed' : undefined
    case 'fail':
      return isForward || state === 'rolling_back' ? 'failed' : undefined
    case 'cancel':
      return isForward || state === 'pending' ? 'cancelled' : undefined
    case 'roll_back':
      return state === 'rolling_back' || state === 'rolled_back' ? undefined : 'rolling_back'
    case 'be_back':
      return state === 'rolling_back' ? 'rolled_back' : undefined
  }
}
