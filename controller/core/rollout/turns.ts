import type { Strategy } from '../../../schemas/deployment.ts'
import { awayGraceMs } from './clocks.ts'
import { isBeforeItsTurn, isUnderWay } from './device-transition.ts'
import { apply, type Draft, install, say, type Turn } from './draft.ts'
import { unhealthyMark } from './progress.ts'
import type { RolloutDevice } from './rollout.ts'
import { countOfShare } from './share.ts'

/** Something has to become of it before its batch is over. */
export const isOfBatch = (device: RolloutDevice, strategy: Strategy): boolean =>
  isOfRollout(device, strategy) || (device.state === 'healthy' && device.mark === unhealthyMark && device.awaySince === null)

/** Something has to become of it before the rollout is over. */
export const isOfRollout = (device: RolloutDevice, strategy: Strategy): boolean =>
  device.state === 'pending' || isUnderWay(device) || isCandidate(device, strategy)

/** Whether a device that has its turn, or has missed it, can be given it now. */
const isCandidate = (device: RolloutDevice, strategy: Strategy): boolean =>
  device.awaySince === null && isBeforeItsTurn(device) && (device.state === 'pending' || strategy.late !== 'hold')

/** Sees who is there of those that have their turn: who is away is deferred. */
export const meet = (draft: Draft, turns: readonly Turn[]): void => {
  for (const turn of turns) {
    const { state, awaySince } = turn.device
    if (!isBeforeItsTurn(turn.device)) continue
    if (state === 'pending' && awaySince !== null && draft.now >= awaySince + awayGraceMs)
      apply(draft, turn, { kind: 'defer', reason: whyDeferred.away })
    else if (state === 'deferred' && awaySince !== null) sayWhyLate(draft, turn, whyDeferred.away)
    else if (!isCandidate(turn.device, draft.head.strategy)) sayWhyLate(draft, turn, whyDeferred.held)
  }
}

const whyDeferred = {
  away: 'is away: gets its turn when it is back',
  held: 'is back, and is held until somebody resumes',
}

/** A device whose turn has simply not come needs no reason; one that was late, or was let in, has one. */
const sayWhyLate = (draft: Draft, turn: Turn, reason: string): void => {
  if (turn.device.state === 'deferred' || turn.device.reason !== null) say(draft, turn, reason)
}

/** Who is to be told now, and why others are not. */
export interface Choice {
  chosen: Turn[]
  /** What the others wait for. */
  waitsFor: string | null
  /** Those for which there will never be room, and why. */
  spent: { turn: Turn; reason: string }[]
}

/**
 * Chooses from those that can have it, at most so many, and no more than `max_unavailable` leaves room for. Where the release cannot go has
 * failed, before anything is told to the others: that alone may be too many.
 */
export const choose = (draft: Draft, turns: readonly Turn[], most: number): Choice => {
  const { room, head } = draft
  const choice: Choice = { chosen: [], waitsFor: null, spent: [] }
  for (const turn of turns) {
    if (!isCandidate(turn.device, head.strategy)) continue
    if (choice.chosen.length >= most) sayWhyLate(draft, turn, 'is back, and waits for its turn')
    else if (room && !room.isFree(turn)) {
      sayWhyLate(draft, turn, `is back, and waits: ${room.full(turn)}`)
      if (room.isSpent(turn)) choice.spent.push({ turn, reason: `no further device may begin: ${room.full(turn)}` })
      choice.waitsFor ??= `waits: ${room.full(turn)}`
    } else if (turn.facts.blockedBy !== null) apply(draft, turn, { kind: 'fail', reason: turn.facts.blockedBy })
    else {
      room?.keep(turn, true)
      choice.chosen.push(turn)
    }
  }
  return choice
}

/** Installs on those that were chosen, until there is a reason to end all of it. */
export const installAll = (draft: Draft, chosen: readonly Turn[], reasonToEnd: () => string | null): string | null => {
  for (const turn of chosen) {
    const reason = reasonToEnd()
    if (reason !== null) return reason
    draft.room?.keep(turn, false)
    install(draft, turn)
  }
  return reasonToEnd()
}

/** How many of those that are late may have it at a time: as many as of a batch, without those that have it already. */
export const mostLate = ({ head, turns }: Draft, late: readonly Turn[]): number =>
  countOfShare(head.strategy.batch, turns.length) - late.filter(({ device }) => isUnderWay(device)).length
