import { isDeploymentOver, type Strategy } from '../../../schemas/deployment.ts'
import { isDeviceOpen } from './device-transition.ts'
import { isBeingJudged, unhealthyMark } from './progress.ts'
import type { Rollout, RolloutDevice } from './rollout.ts'

/** A device that has just gone may be back at once, as all are after a restart of the broker: only then its turn is over. */
export const awayGraceMs = 15_000

/** A verdict that a device reaches at its last moment needs so long to get here. */
const verdictGraceMs = 30_000

/** How long nothing may be heard of progress. While its device judges a release nothing else is to be heard. */
const patienceMs = ({ mark }: RolloutDevice, strategy: Strategy): number => {
  const usual = strategy.progress_deadline_seconds * 1000
  return isBeingJudged(mark) ? Math.max(usual, strategy.health_timeout_seconds * 1000 + verdictGraceMs) : usual
}

/** Until when a device is waited for, as it is now; null if nobody waits for it. */
export const waitedForUntil = (device: RolloutDevice, strategy: Strategy): number | null => {
  const { state, awaySince } = device
  const movedAt = device.movedAt ?? 0
  const backAt = Math.max(movedAt, device.backAt ?? 0)
  if (state === 'pending') return awaySince === null ? null : awaySince + awayGraceMs
  if (state === 'healthy')
    return device.mark === unhealthyMark && awaySince === null ? backAt + strategy.health_timeout_seconds * 1000 : null
  if (state !== 'deploying' && state !== 'deployed' && state !== 'rolling_back') return null
  const patience = patienceMs(device, strategy)
  if (awaySince === null) return backAt + patience
  if (state === 'rolling_back' && awaySince <= movedAt) return awaySince + awayGraceMs
  const usual = missedUntil(awaySince, strategy)
  // One that comes and goes and gets nowhere in twice the time counts as away.
  return device.backAt !== null && device.backAt > movedAt ? Math.min(usual, movedAt + 2 * patience) : usual
}

/** Until when a device that has gone is missed. Afterwards nobody waits for it, and it does not count as unavailable any more. */
export const missedUntil = (awaySince: number, strategy: Strategy): number =>
  awaySince + strategy.progress_deadline_seconds * 1000

/** It is of interest who is there, and not only of those that something still has to become of. */
export const isWatched = ({ state, strategy, devices }: Rollout): boolean =>
  !isDeploymentOver(state) || (strategy.max_unavailable !== undefined && devices.some(isDeviceOpen))

/** Whether a device came or went, or has been missed for long enough. */
export const notePresence = (device: RolloutDevice, isConnected: boolean, strategy: Strategy, now: number): RolloutDevice => {
  const { awaySince, isMissed } = device
  if (isConnected) return awaySince === null ? device : { ...device, awaySince: null, backAt: now, isMissed: false }
  if (awaySince === null) return { ...device, awaySince: now, isMissed: strategy.max_unavailable !== undefined }
  return isMissed && now >= missedUntil(awaySince, strategy) ? { ...device, isMissed: false } : device
}

/**
 * The time in which nobody listened counts against nobody: to be called for what goes on after a start of the controller, and when it has
 * been without its broker.
 */
export const startClocksAnew = (rollout: Rollout, now: number): Rollout => ({
  ...rollout,
  devices: rollout.devices.map((device) => {
    const isTimed = waitedForUntil(device, rollout.strategy) !== null || device.isMissed
    const { movedAt, awaySince } = device
    return isTimed ? { ...device, movedAt: movedAt === null ? null : now, awaySince: awaySince === null ? null : now } : device
  }),
})
