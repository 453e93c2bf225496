import { z } from 'zod'
import { ReportedRelease } from './desired.ts'
import { Instant, RunId } from './ids.ts'
import { runModes, WorkloadName } from './workload.ts'

/**
 * The life of a workload on its device:
 *
 *   registered ──▶ starting ──▶ running ──▶ stopping ──▶ stopped        asked to stop: it stays so until it is started by hand
 *    ▲  waits: a firing,          │
 *    │  a dependency              ├──▶ backoff ──▶ starting             it ended, and is started again later
 *    └────────────────────────────┼──▶ registered                       a firing is over, the next one comes
 *                                 └──▶ completed | failed | crash_loop  nothing is started any more
 *
 * A change of its spec or a start by hand begins anew from any of them.
 */
export const workloadStates = [
  'registered',
  'starting',
  'running',
  'stopping',
  'stopped',
  'backoff',
  'completed',
  'failed',
  'crash_loop',
] as const
export type WorkloadState = (typeof workloadStates)[number]

export const healthStates = ['unknown', 'healthy', 'unhealthy'] as const
export type HealthState = (typeof healthStates)[number]

/** A workload as its device shows and reports it. */
export const WorkloadStatus = z.looseObject({
  name: WorkloadName,
  type: z.string(),
  run_mode: z.enum(runModes),
  version: z.string().nullable(),
  tags: z.array(z.string()),
  /** `local`, or the release that it belongs to, as `name@version`. */
  origin: z.string(),
  state: z.string(),
  /** Why it is in this state, or what it waits for. */
  reason: z.string().nullable(),
  /** Null where there is no check. */
  health: z.enum(healthStates).nullable(),
  pid: z.number().int().nullable(),
  run_id: RunId.nullable(),
  run_count: z.number().int(),
  /** Runs in a row that failed. */
  failures: z.number().int(),
  last_exit_code: z.number().int().nullable(),
  last_error: z.string().nullable(),
  last_started_at: Instant.nullable(),
  last_ended_at: Instant.nullable(),
  /** The next firing, or the start after a wait. */
  next_at: Instant.nullable(),
  memory_mb: z.number().nullable(),
  digest: z.string(),
})
export type WorkloadStatus = z.infer<typeof WorkloadStatus>

/** One run of a workload, as it is shown. */
export const WorkloadRun = z.looseObject({
  run_id: RunId,
  workload: WorkloadName,
  /** What made it start: `start`, `restart`, `firing`, `missed`, `manual`. */
  cause: z.string(),
  /** The instant of the schedule that it stands for. */
  slot: Instant.nullable(),
  state: z.string(),
  reason: z.string().nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  started_at: Instant.nullable(),
  ended_at: Instant.nullable(),
  duration_seconds: z.number().nullable(),
})
export type WorkloadRun = z.infer<typeof WorkloadRun>

/** What became of each workload when files were applied or read again. */
export const ReloadDiff = z.looseObject({
  added: z.array(WorkloadName),
  removed: z.array(WorkloadName),
  restarted: z.array(WorkloadName),
  unchanged: z.array(WorkloadName),
})
export type ReloadDiff = z.infer<typeof ReloadDiff>

/** device/<d>/reported, retained: what is true on a device. */
export const Reported = z.looseObject({
  journal: z.string(),
  /** Rises with every change: an older word changes nothing. */
  seq: z.number().int().nonnegative(),
  at: Instant,
  revision: z.number().int().nonnegative(),
  /** It did not fit in a message: details are left out, and as a last resort the last workloads. */
  is_partial: z.boolean().optional(),
  workloads: z.array(WorkloadStatus),
  /** Missing where a device knows of no releases. */
  releases: z.array(ReportedRelease).optional(),
})
export type Reported = z.infer<typeof Reported>
