import { z } from 'zod'
import { DeviceName, Instant } from './ids.ts'
import { ReleaseName, ReleaseRef } from './release.ts'

/**
 * The life of a deployment:
 *
 *   pending ──▶ in_progress ──▶ completed
 *                │   ▲   │
 *          pause ▼   │   ├──▶ failed                    too many devices failed, and nothing is to be rolled back
 *               paused   ├──▶ cancelled                 what has been done stays
 *                │       │
 *                └───────┴──▶ rolling_back ──▶ rolled_back | failed
 *
 * `failed` after `rolling_back`: some device could not go back.
 */
export const deploymentStates = [
  'pending',
  'in_progress',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'rolling_back',
  'rolled_back',
] as const
export type DeploymentState = (typeof deploymentStates)[number]
export const isDeploymentOver = (state: DeploymentState): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'rolled_back'

/**
 * A device in a deployment:
 *
 *   pending ──▶ deploying ──▶ deployed ──▶ healthy
 *     │  ▲          │             │           │
 *     ▼  │          └─────────────┴───────────┴──▶ failed ──▶ rolling_back ──▶ rolled_back | failed
 *   deferred                                                       ▲
 *                                                healthy, deployed ┘
 *
 * deferred: it is away, nobody waits for it, and it gets its turn when it is back. superseded: a newer deployment has taken it over.
 * skipped: it runs this release already, or has left the fleet. Terminal ones may change again when the deployment is rolled back.
 */
export const deploymentDeviceStates = [
  'pending',
  'deferred',
  'deploying',
  'deployed',
  'healthy',
  'failed',
  'rolling_back',
  'rolled_back',
  'superseded',
  'skipped',
] as const
export type DeploymentDeviceState = (typeof deploymentDeviceStates)[number]

const Share = z.union([
  z.number().int().min(1).max(100_000),
  z.string().regex(/^(?:[1-9]\d{0,4}|(?:[1-9]\d?|100)%)$/, 'must be a count, as in 5, or a share, as in 10%'),
])
const Seconds = z
  .number()
  .min(0)
  .max(7 * 24 * 3600)

/** How a release gets to its devices, and when that is given up. */
export const Strategy = z.strictObject({
  /** How many devices at a time: a count, or a share of all. */
  batch: Share.default(1),
  /** So many devices go first, by themselves. */
  canary: z.number().int().min(0).max(100_000).default(0),
  /** One more failed device than this ends it. */
  max_failures: z.number().int().min(0).max(100_000).default(0),
  /** The same as a share of the devices that have come to an end, from the first batch on; whichever is reached first. */
  max_failure_ratio: z.number().min(0).max(1).optional(),
  min_healthy_seconds: Seconds.default(10),
  health_timeout_seconds: z
    .number()
    .positive()
    .max(7 * 24 * 3600)
    .default(60),
  /** So many devices of it may be without the release in good health at a time, those that fail and that are away included. */
  max_unavailable: Share.optional(),
  /** With this `max_unavailable` counts for each group of devices that have the same value of this label. */
  max_unavailable_per: z.string().min(1).max(128).optional(),
  /** Between the end of a batch and the next. */
  pause_seconds: Seconds.default(0),
  auto_rollback: z.boolean().default(true),
  /** What becomes of a device that comes back late: it gets the release; only if nothing newer has come; or it waits until somebody resumes. */
  late: z.enum(['apply', 'apply_if_not_superseded', 'hold']).default('apply_if_not_superseded'),
  /** A device that is connected and gets no further for so long has failed. */
  progress_deadline_seconds: z
    .number()
    .positive()
    .max(7 * 24 * 3600)
    .default(600),
})
export type Strategy = z.infer<typeof Strategy>

/** Which devices: those named, those that a selector matches, or with an empty selector all. */
export const DeploymentTarget = z.strictObject({
  devices: z.array(DeviceName).min(1).max(10_000).optional(),
  selector: z.string().max(1024).optional(),
})
export type DeploymentTarget = z.infer<typeof DeploymentTarget>

export const NewDeployment = Strategy.extend({
  release: ReleaseRef,
  target: DeploymentTarget,
  /** For its workloads on these devices, over what they say themselves. */
  env: z.record(z.string(), z.string()).optional(),
  idempotency_key: z.string().min(1).max(256).optional(),
})
export type NewDeployment = z.infer<typeof NewDeployment>

/** How many devices are in which state. */
export const DeviceCounts = z.partialRecord(z.enum(deploymentDeviceStates), z.number().int())

/** A device in a deployment, as it is shown. */
export const DeploymentDevice = z.looseObject({
  device: DeviceName,
  /** 0 is the canary; null until its turn is known. */
  batch: z.number().int().nullable(),
  state: z.enum(deploymentDeviceStates),
  reason: z.string().nullable(),
  /** The version that it had before; null for none. */
  previous: z.string().nullable(),
  started_at: Instant.nullable(),
  ended_at: Instant.nullable(),
  /** What the device says of it now. */
  progress: z.string().nullable(),
})
export type DeploymentDevice = z.infer<typeof DeploymentDevice>

/** A deployment, as it is shown. */
export const Deployment = z.looseObject({
  deployment_id: z.string(),
  release: z.string(),
  name: ReleaseName,
  version: z.string(),
  digest: z.string(),
  state: z.enum(deploymentStates),
  reason: z.string().nullable(),
  target: DeploymentTarget,
  strategy: Strategy,
  devices: z.number().int(),
  counts: DeviceCounts,
  /** The batch that is under way, and how many there are. */
  batch: z.number().int().nullable(),
  batches: z.number().int(),
  created_by: z.string(),
  created_at: Instant,
  started_at: Instant.nullable(),
  ended_at: Instant.nullable(),
  /** When it ends, if it goes on as it did; null when nothing is known yet. */
  expected_end_at: Instant.nullable(),
})
export type Deployment = z.infer<typeof Deployment>
