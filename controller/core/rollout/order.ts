import { isDeploymentOver } from '../../../schemas/deployment.ts'
import { deviceTransition, isBeforeItsTurn } from './device-transition.ts'
import type { Rollout } from './rollout.ts'
import { rolloutTransition } from './rollout-transition.ts'

/** What somebody may want of a rollout. */
export type RolloutOrder = 'pause' | 'resume' | 'cancel' | 'cancel_and_rollback' | 'rollback'

/**
 * What an order makes of a rollout; the next `advance()` does what follows. What is already as ordered stays so: an order may come twice.
 */
export const order = (
  rollout: Rollout,
  what: RolloutOrder,
  by: string,
  now: number,
): { ok: true; rollout: Rollout } | { ok: false; reason: string } => {
  const { state, pausedFrom } = rollout
  const isGoingBack = state === 'rolling_back' || pausedFrom === 'rolling_back'
  const done = (next: Rollout) => ({ ok: true as const, rollout: next })
  const refused = (why: string) => ({ ok: false as const, reason: `Cannot ${words[what]} deployment ${rollout.id}: ${why}` })
  switch (what) {
    case 'pause':
      if (isDeploymentOver(state)) return refused(`it is ${state} already`)
      return done(rolloutTransition(rollout, { kind: 'pause', reason: `paused by ${by}` }, now))
    case 'resume': {
      const next = letIn(rolloutTransition(rollout, { kind: 'resume', reason: `resumed by ${by}` }, now), by, now)
      if (next === rollout && isDeploymentOver(state)) return refused(`it is ${state}, and no device is held back`)
      return done(next)
    }
    case 'cancel':
      if (state === 'cancelled') return done(rollout)
      if (isGoingBack) return refused('it is rolling back, which comes to its end by itself')
      if (isDeploymentOver(state)) return refused(`it is ${state} already`)
      return done(rolloutTransition(rollout, { kind: 'cancel', reason: `cancelled by ${by}` }, now))
    case 'cancel_and_rollback':
      if (state === 'rolled_back' || state === 'rolling_back') return done(rollout)
      if (isDeploymentOver(state)) return refused(`it is ${state} already; it can be rolled back`)
      return done(rollBack(rollout, `cancelled by ${by}, with rollback`, now))
    case 'rollback':
      return done(rollBack(rollout, `rolled back by ${by}`, now))
  }
}

const words: Record<RolloutOrder, string> = {
  pause: 'pause',
  resume: 'resume',
  cancel: 'cancel',
  cancel_and_rollback: 'cancel and roll back',
  rollback: 'roll back',
}

/** Those that were late and held back get their turn. */
const letIn = (rollout: Rollout, by: string, now: number): Rollout => {
  const { state, strategy, devices } = rollout
  const isHeld = strategy.late === 'hold' && (state === 'in_progress' || state === 'completed')
  if (!isHeld || !devices.some((device) => device.state === 'deferred' && isBeforeItsTurn(device))) return rollout
  const event = { kind: 'let_in', reason: `let in by ${by}` } as const
  return {
    ...rollout,
    devices: devices.map((device) => (isBeforeItsTurn(device) ? deviceTransition(device, event, now) : device)),
  }
}

/** Rolls back; those that could not go back are told once more. */
const rollBack = (rollout: Rollout, reason: string, now: number): Rollout => {
  const next = rolloutTransition(rollout, { kind: 'roll_back', reason }, now)
  if (next === rollout) return rollout
  const isToTryAgain = rollout.devices.some((device) => device.isSentBack && device.state === 'failed')
  if (!isToTryAgain) return next
  const again = rollout.devices.map((device) => (device.state === 'failed' ? { ...device, isSentBack: false } : device))
  return { ...next, devices: again }
}
