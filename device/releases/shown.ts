import type { DesiredRelease, ReleaseState, ReportedRelease } from '../../schemas/desired.ts'
import { instant } from '../../schemas/ids.ts'
import type { ReleaseLife } from './life.ts'

/** How far a release is on its way to being applied. */
export interface Phase {
  state: Extract<ReleaseState, 'downloading' | 'unpacking' | 'applying'>
  since: number
  bytes: number
  total: number
}

/** What has become of a release that was healthy. */
export interface Drift {
  reason: string
  since: number
}

/** A report is one message. */
const mostReasonChars = 500

/** A release as it is shown and reported. */
export const shownRelease = (life: ReleaseLife, phase: Phase | undefined, drift: Drift | undefined): ReportedRelease => {
  const { state, reason, since } = stateOf(life, phase, drift)
  return {
    name: life.name,
    active: life.active && versionOf(life.active),
    wanted: life.wanted && { ...versionOf(life.wanted), deployment: life.wanted.deployment },
    state,
    reason: reason?.slice(0, mostReasonChars) ?? null,
    since: instant(since),
    ...(life.wentBack ? { went_back: true } : {}),
    ...(phase && state === 'downloading' ? { progress: { bytes: phase.bytes, total: phase.total } } : {}),
  }
}

const stateOf = (
  life: ReleaseLife,
  phase: Phase | undefined,
  drift: Drift | undefined,
): { state: ReleaseState; reason: string | null; since: number } => {
  if (life.state === 'downloading' && phase) return { state: phase.state, reason: null, since: phase.since }
  if (life.state === 'healthy' && drift) return { state: 'unhealthy', ...drift }
  return life
}

const versionOf = ({ version, digest }: DesiredRelease) => ({ version, digest })
