import { waitedForUntil } from './clocks.ts'
import { deviceTransition } from './device-transition.ts'
import { isFurther, progressOf, unhealthyMark } from './progress.ts'
import type { DeviceFacts, Rollout, RolloutDevice } from './rollout.ts'

/** What a device says. */
export type Word = Pick<DeviceFacts, 'reported' | 'isInformed' | 'previousDigest'>

/** What a device's word makes of it, and time if there is none. */
export const judge = (device: RolloutDevice, facts: Word, rollout: Rollout, now: number): RolloutDevice => {
  switch (device.state) {
    case 'deploying':
    case 'deployed':
      return judgeForward(device, facts, rollout, now)
    case 'rolling_back':
      return judgeBack(device, facts, rollout, now)
    case 'healthy':
      return judgeHealthy(device, facts, rollout, now)
    case 'pending':
    case 'deferred':
    case 'failed':
    case 'rolled_back':
    case 'superseded':
    case 'skipped':
      return device
  }
}

const judgeForward = (device: RolloutDevice, facts: Word, rollout: Rollout, now: number): RolloutDevice => {
  const reported = wordOnThis(facts, rollout)
  const failure = failureOf(reported)
  if (failure !== null) return deviceTransition(device, { kind: 'fail', reason: failure }, now)
  let next = noteProgress(device, progressOf(reported, facts.isInformed), now)
  if (reported?.active?.digest === rollout.digest) {
    if (reported.state === 'healthy') return deviceTransition(next, { kind: 'be_well' }, now)
    if (reported.state === 'settling' || reported.state === 'unhealthy') next = deviceTransition(next, { kind: 'arrive' }, now)
  }
  return endPatience(next, rollout, now, 'is away in the middle of it: goes on when it is back')
}

const judgeBack = (device: RolloutDevice, facts: Word, rollout: Rollout, now: number): RolloutDevice => {
  const hasHeard = facts.isInformed && !isStillOnThis(facts, rollout)
  const reported = hasHeard ? facts.reported : null
  if (hasHeard && isBack(facts)) return deviceTransition(device, { kind: 'be_back' }, now)
  if (reported?.state === 'failed') {
    const reason = `could not go back to what it had: ${reported.reason ?? 'it gives no reason'}`
    return deviceTransition(device, { kind: 'fail', reason }, now)
  }
  const next = noteProgress(device, progressOf(reported, hasHeard), now)
  return endPatience(next, rollout, now, 'is away: goes back to what it had when it returns')
}

/** A release that its device has found well may still turn out bad, as long as it is being rolled out. */
const judgeHealthy = (device: RolloutDevice, facts: Word, rollout: Rollout, now: number): RolloutDevice => {
  const isRolledOut = rollout.state === 'in_progress' || rollout.pausedFrom === 'in_progress'
  const reported = wordOnThis(facts, rollout)
  const failure = failureOf(reported)
  if (failure !== null && isRolledOut) return deviceTransition(device, { kind: 'fail', reason: failure }, now)
  const isUnhealthy = reported !== null && reported.state !== 'healthy'
  const mark = isUnhealthy ? unhealthyMark : null
  const why = `is unhealthy${because(reported?.reason)}`
  const next = device.mark === mark ? device : { ...device, mark, movedAt: now, reason: isUnhealthy ? why : null }
  const until = waitedForUntil(next, rollout.strategy)
  if (!isRolledOut || until === null || now < until) return next
  const reason = `was healthy, then unhealthy for ${rollout.strategy.health_timeout_seconds} s${because(reported?.reason)}`
  return deviceTransition(next, { kind: 'fail', reason }, now)
}

/** What the device reports, if it is about what this rollout wrote for it. */
const wordOnThis = ({ reported }: Word, { id }: Rollout) => (reported?.wanted?.deployment === id ? reported : null)

/** Whether it reports, after it was told to go back, that it is still to run this release. */
const isStillOnThis = (facts: Word, rollout: Rollout): boolean =>
  wordOnThis(facts, rollout)?.wanted?.digest === rollout.digest && facts.previousDigest !== rollout.digest

const failureOf = (reported: Word['reported']): string | null => {
  if (reported?.went_back) return `went back by itself to what it had${because(reported.reason)}`
  return reported?.state === 'failed' ? (reported.reason ?? 'the device gives no reason') : null
}

const isBack = ({ reported, previousDigest }: Word): boolean =>
  previousDigest === null || previousDigest === undefined
    ? reported === null || (reported.active === null && reported.wanted === null)
    : reported?.active?.digest === previousDigest && reported.state === 'healthy'

const noteProgress = (device: RolloutDevice, mark: string, now: number): RolloutDevice =>
  isFurther(mark, device.mark) ? { ...device, mark, movedAt: now } : device

const endPatience = (device: RolloutDevice, { strategy }: Rollout, now: number, whenAway: string): RolloutDevice => {
  const until = waitedForUntil(device, strategy)
  if (until === null || now < until) return device
  if (device.awaySince !== null) return deviceTransition(device, { kind: 'defer', reason: whenAway }, now)
  const since = Math.max(device.movedAt ?? 0, device.backAt ?? 0)
  const reason = `no progress for ${Math.round((until - since) / 1000)} s`
  return deviceTransition(device, { kind: 'fail', reason }, now)
}

const because = (reason: string | null | undefined): string => (reason ? `: ${reason}` : '')
