import type { DeploymentDeviceState, DeploymentState, Strategy } from '../../../schemas/deployment.ts'
import type { ReportedRelease } from '../../../schemas/desired.ts'

/** A device in a rollout. Instants are milliseconds. */
export interface RolloutDevice {
  device: string
  batch: number | null
  state: DeploymentDeviceState
  reason: string | null
  startedAt: number | null
  /** When it last got further: a change of its state, or of its mark. */
  movedAt: number | null
  endedAt: number | null
  /** It was told to run this release at least once. */
  isTouched: boolean
  /** It was told to go back to what it had: from then on only that counts. */
  isSentBack: boolean
  /** How far it had got when it last got further (`progress.ts`); of one that is healthy, whether it is so at the moment. */
  mark: string | null
  /** Since when it is away; null while it is connected. */
  awaySince: number | null
  /** When it last came back. */
  backAt: number | null
  /** It is away and counts as unavailable, as all do for a while; only where `max_unavailable` is set. */
  isMissed: boolean
  /** The newer deployment that owned it when it came back late, and got this release in spite of that. */
  overrules: string | null
}

/** A rollout: all that has to be kept of it. */
export interface Rollout {
  id: string
  state: DeploymentState
  reason: string | null
  strategy: Strategy
  digest: string
  /** In the order of their turns: by batch, and behind them those that have none. */
  devices: readonly RolloutDevice[]
  /** The batch that has its turn. */
  batch: number | null
  /** When that batch came to its end; null while it is under way. */
  restedSince: number | null
  createdAt: number
  startedAt: number | null
  endedAt: number | null
  /** Of one that is paused: what it goes back to. */
  pausedFrom: 'in_progress' | 'rolling_back' | null
}

/** What is known of a device at this moment. */
export interface DeviceFacts {
  isMember: boolean
  isConnected: boolean
  labels: Readonly<Record<string, string>>
  /** What the device reports of the release of this name; null if it reports none. */
  reported: ReportedRelease | null
  /** The revision that it works on is at least the last one that this rollout wrote for it, to install or to restore. */
  isInformed: boolean
  /** The newer deployment of a release of the same name that has taken the device over. */
  supersededBy: string | null
  /** The digest that it ran before, kept when it was touched; null for nothing, undefined if it never was. */
  previousDigest: string | null | undefined
  /** Why the release cannot go there, as a name that clashes. */
  blockedBy: string | null
}

/** What is to be written for a device: this release, or what it had before it. The latter goes by another id of deployment than the rollout's. */
export type RolloutEffect = { kind: 'install'; device: string } | { kind: 'restore'; device: string }

/** So many devices, in words. */
export const devicesInWords = (count: number): string => `${count} device${count === 1 ? '' : 's'}`
