import { isWatched, missedUntil, waitedForUntil } from './clocks.ts'
import type { Rollout, RolloutDevice } from './rollout.ts'
import { isOfBatch } from './turns.ts'

/** When time alone may change something: then `advance()` sees to it. It is now if that is due; null if only news can change something. */
export const nextLookAt = (rollout: Rollout, now: number): number | null => {
  const { strategy } = rollout
  const isAnyoneMissed = isWatched(rollout)
  let next = restsUntil(rollout) ?? Number.POSITIVE_INFINITY
  for (const device of rollout.devices) {
    const { awaySince, isMissed } = device
    const until = isWaitedFor(rollout, device) ? waitedForUntil(device, strategy) : null
    if (until !== null && until < next) next = until
    if (isAnyoneMissed && isMissed && awaySince !== null) next = Math.min(next, missedUntil(awaySince, strategy))
  }
  return next === Number.POSITIVE_INFINITY ? null : Math.max(now, next)
}

const isWaitedFor = ({ state, batch, pausedFrom }: Rollout, device: RolloutDevice): boolean => {
  if (device.state === 'healthy') return state === 'in_progress' || pausedFrom === 'in_progress'
  if (device.state !== 'pending') return true
  return state === 'completed' || (state === 'in_progress' && device.batch !== null && device.batch <= (batch ?? -1))
}

/** When the next batch begins, if it waits for nothing else. */
const restsUntil = ({ state, batch, restedSince, devices, strategy }: Rollout): number | null => {
  if (state !== 'in_progress' || restedSince === null || batch === null) return null
  const members = devices.filter((device) => device.batch === batch)
  const isAnyToCome = devices.some((device) => device.batch !== null && device.batch > batch)
  const isOver = isAnyToCome && !members.some((device) => isOfBatch(device, strategy))
  return isOver ? restedSince + strategy.pause_seconds * 1000 : null
}
