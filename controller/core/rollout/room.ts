import type { Strategy } from '../../../schemas/deployment.ts'
import type { Turn } from './draft.ts'
import { unhealthyMark } from './progress.ts'
import type { RolloutDevice } from './rollout.ts'
import { countOfShare } from './share.ts'

/** How much `max_unavailable` leaves to take, in the group of each device. */
export interface Room {
  /** Whether one more may be without the release in good health. */
  isFree: (turn: Turn) => boolean
  /** Whether there will never be room: those that have failed take all of it. */
  isSpent: (turn: Turn) => boolean
  /** Whether nobody is on the way back: one always may be, or a rollback would not come to an end. */
  isIdle: (turn: Turn) => boolean
  /** Keeps room for one that is about to begin; with false it gives it free again. */
  keep: (turn: Turn, isKept: boolean) => void
  note: (turn: Turn, before: RolloutDevice) => void
  /** Why nobody may begin, in words. */
  full: (turn: Turn) => string
}

interface Group {
  all: number
  unavailable: number
  failed: number
  goingBack: number
}

/** Counts who is without the release in good health; null if that is not limited. */
export const roomFor = (turns: readonly Turn[], strategy: Strategy): Room | null => {
  const { max_unavailable: share, max_unavailable_per: label } = strategy
  if (share === undefined) return null
  const groups = new Map<string, Group>()
  const groupOf = ({ facts }: Turn): Group => {
    const key = label === undefined ? '' : Object.hasOwn(facts.labels, label) ? `=${facts.labels[label]}` : ''
    const known = groups.get(key)
    if (known) return known
    const group = { all: 0, unavailable: 0, failed: 0, goingBack: 0 }
    groups.set(key, group)
    return group
  }
  const count = (turn: Turn, device: RolloutDevice, by: 1 | -1): void => {
    if (!turn.facts.isMember) return
    const group = groupOf(turn)
    if (isUnavailable(device)) group.unavailable += by
    if (device.state === 'failed' && device.isTouched) group.failed += by
    if (device.state === 'rolling_back') group.goingBack += by
  }
  for (const turn of turns) {
    if (turn.facts.isMember) groupOf(turn).all += 1
    count(turn, turn.device, 1)
  }
  const mostOf = (turn: Turn): number => countOfShare(share, groupOf(turn).all)
  return {
    isFree: (turn) => groupOf(turn).unavailable < mostOf(turn),
    isSpent: (turn) => groupOf(turn).failed >= mostOf(turn),
    isIdle: (turn) => groupOf(turn).goingBack === 0,
    keep: (turn, isKept) => {
      groupOf(turn).unavailable += isKept ? 1 : -1
    },
    note: (turn, before) => {
      count(turn, before, -1)
      count(turn, turn.device, 1)
    },
    full: (turn) => {
      const group = label === undefined ? '' : ` for each ${label}`
      const who = label === undefined ? '' : ` with ${label}=${turn.facts.labels[label] ?? ''}`
      return `max_unavailable is ${share}${group}, and so many devices${who} are without the release in good health`
    },
  }
}

/** Who is away counts for as long as it is missed: a device that is dead is not waited for. */
const isUnavailable = ({ state, isTouched, isMissed, awaySince, mark }: RolloutDevice): boolean => {
  switch (state) {
    case 'deploying':
    case 'deployed':
    case 'rolling_back':
      return true
    case 'failed':
      return isTouched || isMissed
    case 'healthy':
      return awaySince === null ? mark === unhealthyMark : isMissed
    case 'pending':
    case 'deferred':
    case 'rolled_back':
    case 'skipped':
      return isMissed
    case 'superseded':
      return false
  }
}
