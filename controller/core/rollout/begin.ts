import type { Strategy } from '../../../schemas/deployment.ts'
import { awayGraceMs } from './clocks.ts'
import type { Rollout, RolloutDevice } from './rollout.ts'
import { countOfShare } from './share.ts'

/** A device that a rollout is to reach. */
export interface RolloutTarget {
  device: string
  labels: Readonly<Record<string, string>>
  isConnected: boolean
  /** It runs this release in good health already. */
  hasIt: boolean
}

/** A rollout that has not begun: the canary is batch 0, then come batches from 1 on; who is connected goes first, then by name. */
export const beginRollout = (
  targets: readonly RolloutTarget[],
  strategy: Strategy,
  id: string,
  digest: string,
  now: number,
): Rollout => {
  const inTurn = targets.filter((target) => !target.hasIt).sort(byPresence)
  const size = countOfShare(strategy.batch, targets.length)
  const batchAt = (place: number): number => (place < strategy.canary ? 0 : 1 + Math.floor((place - strategy.canary) / size))
  return {
    id,
    state: 'pending',
    reason: null,
    strategy,
    digest,
    devices: [
      ...inTurn.map((target, place) => newDevice(target, batchAt(place), strategy, now)),
      ...targets
        .filter((target) => target.hasIt)
        .sort(byName)
        .map((target) => newDevice(target, null, strategy, now)),
    ],
    batch: null,
    restedSince: null,
    createdAt: now,
    startedAt: null,
    endedAt: null,
    pausedFrom: null,
  }
}

const newDevice = (
  { device, isConnected }: RolloutTarget,
  batch: number | null,
  strategy: Strategy,
  now: number,
): RolloutDevice => ({
  device,
  batch,
  state: batch === null ? 'skipped' : 'pending',
  reason: batch === null ? 'runs this release already' : null,
  startedAt: null,
  movedAt: null,
  endedAt: batch === null ? now : null,
  isTouched: false,
  isSentBack: false,
  mark: null,
  // Who is away at the beginning has not just gone: nobody waits for it to come back at once.
  awaySince: isConnected ? null : now - awayGraceMs,
  backAt: null,
  isMissed: !isConnected && strategy.max_unavailable !== undefined,
  overrules: null,
})

const byName = (a: RolloutTarget, b: RolloutTarget): number => (a.device < b.device ? -1 : a.device > b.device ? 1 : 0)
const byPresence = (a: RolloutTarget, b: RolloutTarget): number => Number(b.isConnected) - Number(a.isConnected) || byName(a, b)
