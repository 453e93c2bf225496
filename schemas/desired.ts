import { z } from 'zod'
import { DeviceName, Instant } from './ids.ts'
import { Jws } from './keys.ts'
import { Bundle, ReleaseName, ReleaseVersion, Sha256 } from './release.ts'

/** How a device judges a release that is new to it. */
export const Judgement = z.looseObject({
  /** All its workloads are well for so long without a break: then the release is. */
  min_healthy_seconds: z.number().min(0),
  /** If that has not come after so long since it began to run, it has failed. */
  health_timeout_seconds: z.number().positive(),
  /** With true a device that cannot reach the controller goes back by itself to what it ran before. */
  goes_back: z.boolean(),
})
export type Judgement = z.infer<typeof Judgement>

/** One release that a device is to run. */
export const DesiredRelease = z.looseObject({
  name: ReleaseName,
  version: ReleaseVersion,
  digest: Sha256,
  bundle: Bundle,
  /** Whose doing it is. What a device has judged under this id is not judged again. */
  deployment: z.string(),
  judge: Judgement,
  /** For its workloads on this device, over what they say themselves. */
  env: z.record(z.string(), z.string()).optional(),
  /** The statement of the release, signed (`skein-release`). */
  signature: Jws,
})
export type DesiredRelease = z.infer<typeof DesiredRelease>

/** device/<d>/desired, retained: the payload of a signed message (`skein-desired`). A device obeys none of a lower revision than it has seen. */
export const Desired = z.looseObject({
  fleet: z.string(),
  device: DeviceName,
  revision: z.number().int().nonnegative(),
  epoch: z.number().int().nonnegative(),
  at: Instant,
  releases: z.array(DesiredRelease),
})
export type Desired = z.infer<typeof Desired>

/**
 * How far a device is with a release that it is to run:
 *
 *   downloading ──▶ unpacking ──▶ applying ──▶ settling ──▶ healthy ◀──▶ unhealthy
 *        │              │             │            │
 *        └──────────────┴─────────────┴────────────┴──────▶ failed
 *
 * `failed` is final for its deployment: what then runs is in `active`. `removing`: nothing of it is wanted any more, but it still runs.
 */
export const releaseStates = [
  'downloading',
  'unpacking',
  'applying',
  'settling',
  'healthy',
  'unhealthy',
  'failed',
  'removing',
] as const
export type ReleaseState = (typeof releaseStates)[number]

const Version = z.looseObject({ version: z.string(), digest: z.string() })

/** A release as its device reports it. */
export const ReportedRelease = z.looseObject({
  name: ReleaseName,
  /** What runs now. */
  active: Version.nullable(),
  /** What is to run. */
  wanted: Version.extend({ deployment: z.string() }).nullable(),
  state: z.enum(releaseStates),
  reason: z.string().nullable(),
  /** Since when it is in this state, by the controller's clock. */
  since: Instant,
  /** It went back by itself to what is active, since the controller could not be reached. */
  went_back: z.boolean().optional(),
  /** Of a download. */
  progress: z.looseObject({ bytes: z.number(), total: z.number() }).optional(),
})
export type ReportedRelease = z.infer<typeof ReportedRelease>

/** device/<d>/fetch: a part of a blob that the device lacks; it comes as `blob/<sha256>/<offset>`, in pieces of at most 64 KiB. */
export const Fetch = z.looseObject({
  sha256: Sha256,
  offset: z.number().int().nonnegative(),
  length: z.number().int().positive(),
})
export type Fetch = z.infer<typeof Fetch>

export const blobPieceBytes = 64 * 1024
