import { isDeepStrictEqual } from 'node:util'
import type { DesiredRelease } from '../../schemas/desired.ts'

/** A release of this device, as its journal keeps it. */
export interface ReleaseLife {
  name: string
  /** What is to run; null once nothing of it is wanted. */
  wanted: DesiredRelease | null
  /** What its workloads were made from. */
  active: DesiredRelease | null
  /** On what is active, under its deployment. */
  verdict: 'healthy' | 'failed' | null
  /** What was found well last before this; null for nothing. */
  previous: DesiredRelease | null
  /** Unpacking and applying are not told apart here: until the workloads are switched they can be begun anew at any time. */
  state: 'downloading' | 'settling' | 'healthy' | 'failed' | 'removing'
  reason: string | null
  since: number
  wentBack: boolean
  /** Since when it is judged, on the monotonic clock of a boot. */
  settling: { mono: number; boot: string } | null
  failedEnds: Readonly<Record<string, number>>
}

export type ReleaseEvent =
  | { kind: 'wanted'; release: DesiredRelease }
  | { kind: 'unwanted' }
  /** It could not be brought, or not be applied: nothing of it runs. */
  | { kind: 'refused'; release: DesiredRelease; reason: string }
  /** Its workloads are the device's now, in the same commit. */
  | { kind: 'switched'; release: DesiredRelease; mono: number; boot: string }
  | { kind: 'ended_badly'; workload: string }
  | { kind: 'judged'; release: DesiredRelease; verdict: 'healthy' | 'failed'; reason: string | null }
  /** It goes on being judged after the machine was started anew. */
  | { kind: 'rebooted'; mono: number; boot: string }
  /** Its folder is not on the disk any more, whoever has removed it. */
  | { kind: 'lost' }
  /** Its workloads are again what they were made from before, in the same commit. */
  | { kind: 'went_back' }
  /** No workload of it is the device's any more, in the same commit. */
  | { kind: 'cleared' }

/**
 * What becomes of a release. An event that its state does not expect is stale, and changes nothing.
 *
 *   wanted ──▶ downloading ──switched──▶ settling ──judged──▶ healthy
 *                   │                       │
 *                   └──refused──▶ failed ◀──┘ judged          went_back: it stays failed
 *
 *   unwanted, from any of them ──▶ removing: forgotten when its last run is over
 *
 * What is wanted under a deployment that what is active was judged by is not judged again.
 */
export const transition = (life: ReleaseLife, event: ReleaseEvent, now: number): ReleaseLife => {
  const becomes = (state: ReleaseLife['state'], more: Partial<ReleaseLife> = {}): ReleaseLife => ({
    ...life,
    ...{ reason: null, settling: null, failedEnds: {} },
    ...more,
    ...{ state, since: state === life.state ? life.since : now },
  })
  switch (event.kind) {
    case 'wanted':
      return want(life, event.release, becomes)
    case 'unwanted':
      return becomes('removing', { wanted: null, wentBack: false })
    case 'refused':
      return life.state === 'downloading' && isSameWish(life.wanted, event.release)
        ? becomes('failed', { reason: event.reason })
        : life
    case 'switched': {
      const { release, mono, boot } = event
      if (life.state !== 'downloading' || !isSameWish(life.wanted, release)) return life
      // What has failed is nothing to go back to, unless there was nothing before it either.
      const previous = life.verdict === 'healthy' ? life.active : (life.previous ?? life.active)
      return becomes('settling', { active: release, verdict: null, previous, settling: { mono, boot } })
    }
    case 'ended_badly':
      return life.state === 'settling' ? { ...life, failedEnds: oneMore(life.failedEnds, event.workload) } : life
    case 'judged':
      return life.state === 'settling' && isSameWish(life.active, event.release)
        ? becomes(event.verdict, { verdict: event.verdict, reason: event.reason })
        : life
    case 'rebooted':
      return life.state === 'settling' ? { ...life, settling: { mono: event.mono, boot: event.boot } } : life
    case 'lost':
      return (life.state === 'settling' || life.state === 'healthy') && isSameWish(life.wanted, life.active)
        ? becomes('downloading', { verdict: null })
        : life
    case 'went_back':
      return life.state === 'failed' && !life.wentBack
        ? { ...life, active: life.previous, verdict: life.previous && 'healthy', previous: null, wentBack: true }
        : life
    case 'cleared':
      return life.state === 'removing' ? { ...life, active: null, verdict: null, previous: null } : life
  }
}

const want = (
  life: ReleaseLife,
  release: DesiredRelease,
  becomes: (state: ReleaseLife['state'], more: Partial<ReleaseLife>) => ReleaseLife,
): ReleaseLife => {
  if (isSameWish(life.wanted, release)) return { ...life, wanted: release }
  if (life.verdict !== null && isSameWish(life.active, release))
    return becomes(life.verdict, { wanted: release, active: release, wentBack: false })
  return becomes('downloading', { wanted: release, wentBack: false })
}

/** A release that was never heard of. */
export const newLife = (release: DesiredRelease, now: number): ReleaseLife => ({
  ...{ name: release.name, wanted: release, active: null, verdict: null, previous: null },
  ...{ state: 'downloading', reason: null, since: now, wentBack: false, settling: null, failedEnds: {} },
})

/** Whether two say that the same is to run because of the same deployment. How it is judged and brought may differ. */
export const isSameWish = (one: DesiredRelease | null, other: DesiredRelease | null): boolean =>
  one !== null &&
  other !== null &&
  one.name === other.name &&
  one.version === other.version &&
  one.digest === other.digest &&
  one.deployment === other.deployment &&
  isDeepStrictEqual(one.env ?? {}, other.env ?? {})

/** What is kept of a device's releases on its disk: all that somebody may want of it again. */
export const neededBy = (lives: Iterable<ReleaseLife>): { digests: Set<string>; bundles: Set<string> } => {
  const digests = new Set<string>()
  const bundles = new Set<string>()
  for (const { wanted, active, previous, state } of lives) {
    for (const one of [wanted, active, previous]) if (one) digests.add(one.digest)
    if (state === 'downloading' && wanted) bundles.add(wanted.bundle.sha256)
  }
  return { digests, bundles }
}

const oneMore = (counts: Readonly<Record<string, number>>, name: string): Record<string, number> => ({
  ...counts,
  [name]: (counts[name] ?? 0) + 1,
})
