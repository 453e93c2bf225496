import type { RunEnd } from '../runner.ts'
import type { Claim } from './run-folder.ts'

/** What can be seen of a run. The processes are looked at before the claim is read, so that a dead shim and a missing line are conclusive. */
export interface Facts {
  claim: Claim
  isSameBoot: boolean
  isShimAlive: boolean
  /** A process of the shim that has not written down its pid yet. */
  isStarting: boolean
  isLeaderAlive: boolean
}

export type Finding = { kind: 'going-on' } | { kind: 'unclaimed' } | { kind: 'over'; end: RunEnd }

/** Decides what has become of a run. An end here is that of the program: others of its group may still live. */
export const findingOf = ({ claim, isSameBoot, isShimAlive, isStarting, isLeaderAlive }: Facts): Finding => {
  if (claim.by === 'daemon') return over({ kind: 'not_started', code: claim.code, reason: claim.reason })
  if (claim.by === 'shim' && claim.exit !== undefined) {
    // The pid is written before the program is executed: without one nothing of it ran, and the status is that of the attempt.
    if (claim.refused !== undefined) return over(notStarted(claim.refused))
    return over(claim.leader ? { kind: 'exited', code: claim.exit } : notStarted('its process could not be prepared'))
  }
  // What the disk had not taken before the power went is no proof that nothing ran.
  if (!isSameBoot) return over({ kind: 'unknown', reason: 'device_rebooted' })
  if (isShimAlive || isStarting || isLeaderAlive) return { kind: 'going-on' }
  if (claim.by === 'nobody') return { kind: 'unclaimed' }
  return over(claim.leader ? { kind: 'unknown', reason: 'exit_unknown' } : notStarted('its shim ended before it'))
}

const over = (end: RunEnd): Finding => ({ kind: 'over', end })
const notStarted = (why: string): RunEnd => ({ kind: 'not_started', code: 125, reason: `cannot_start: ${why}` })
