import { z } from 'zod'
import type { Approval } from './approval-operations.ts'
import type { DeploymentState, DeviceCounts } from './deployment.ts'
import { DeploymentId } from './deployment-operations.ts'
import type { ReportedRelease } from './desired.ts'
import type { DevicePresence } from './device.ts'
import type { WireError } from './errors.ts'
import { DeviceName, RunId, TaskId } from './ids.ts'
import type { LogRecord } from './log.ts'
import type { OutputOf } from './operations.ts'
import { WorkloadName } from './workload.ts'
import type { WorkloadStatus } from './workload-status.ts'

/**
 * What the dashboard's server and a browser say to each other over the websocket. A browser says what it looks at; it gets all of that
 * once, and then what changes, at most four times a second. Times are milliseconds since 1970.
 */
export const View = z.discriminatedUnion('view', [
  z.strictObject({ view: z.literal('overview') }),
  z.strictObject({ view: z.literal('fleet') }),
  z.strictObject({ view: z.literal('device'), device: DeviceName }),
  /** Tells which tasks have changed; the browser asks for those that it shows. */
  z.strictObject({ view: z.literal('tasks') }),
  z.strictObject({ view: z.literal('task'), task_id: TaskId }),
  z.strictObject({ view: z.literal('approvals') }),
  /** Tells that something about deployments or releases is not as it was; the browser asks for what it shows. */
  z.strictObject({ view: z.literal('deployments') }),
  z.strictObject({ view: z.literal('deployment'), deployment_id: DeploymentId }),
  /** The log of a run, or what its agent does, from the record after `after` on: first what is stored, then live. */
  z.strictObject({ view: z.literal('log'), task_id: TaskId, run: RunId, after: z.number().int().min(0) }),
  z.strictObject({ view: z.literal('events'), task_id: TaskId, run: RunId, after: z.number().int().min(0) }),
  /** The log of a workload; `after` 0 begins with its last lines. */
  z.strictObject({
    view: z.literal('workload-log'),
    device: DeviceName,
    workload: WorkloadName,
    after: z.number().int().min(0),
  }),
])
export type View = z.infer<typeof View>

/** What a browser says. `id` is its own name for what it looks at, and comes back with everything that is about it. */
export const BrowserMessage = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('look'), id: z.number().int().min(0), at: View }),
  z.strictObject({ kind: z.literal('leave'), id: z.number().int().min(0) }),
  /** Which devices of the fleet meet this selector. */
  z.strictObject({ kind: z.literal('match'), id: z.number().int().min(0), selector: z.string().max(1024) }),
])
export type BrowserMessage = z.infer<typeof BrowserMessage>

/** A device in the list of all. `n` is its number while this server runs, used where it comes again and again. */
export interface FleetRow {
  n: number
  device: string
  state: DevicePresence
  reason: string | null
  labels: Readonly<Record<string, string>>
  capacity: number
  running: number
  drained: boolean
  version: string | null
  joined_at: number
  last_seen_at: number | null
  /** Whole percents. */
  cpu: number | null
  memory: number | null
  disk: number | null
  temperature: number | null
  workloads: { total: number; running: number; failed: number }
}

/** What comes with each heartbeat: number, cpu, memory, disk, temperature, running runs. It was heard just now. */
export type Beat = readonly [
  n: number,
  cpu: number | null,
  memory: number | null,
  disk: number | null,
  temperature: number | null,
  running: number,
]

export const attentionKinds = [
  'controller_away',
  'database_damaged',
  'approval',
  'crash_loop',
  'workload_failed',
  'workload_unhealthy',
  'deployment_failed',
  'deployment_rolled_back',
  'deployment_paused',
  'disk_full',
  'device_refuses',
  'device_stale',
  'device_offline',
  'run_lost',
  'queue_stuck',
] as const
export type AttentionKind = (typeof attentionKinds)[number]

/** Something that somebody should look at. `says` is one plain sentence. */
export interface Attention {
  kind: AttentionKind
  severity: 'critical' | 'warning'
  says: string
  at: number | null
  device?: string
  workload?: string
  task_id?: string
  approval?: string
  deployment?: string
}

/** A deployment that is under way. */
export interface RunningDeployment {
  deployment_id: string
  release: string
  state: DeploymentState
  reason: string | null
  devices: number
  counts: z.infer<typeof DeviceCounts>
  expected_end_at: number | null
}

export interface RecentTask {
  task_id: string
  /** What it runs, in a few words. */
  what: string
  state: string
  reason: string | null
  device: string | null
  attempt: number
  exit_code: number | null
  requested_by: string
  created_at: number
  started_at: number | null
  ended_at: number | null
}

/** `overview`: all of it the first time, then the fields that are not as they were. */
export interface Overview {
  devices: { online: number; stale: number; offline: number; drained: number }
  /** How many tasks there are in each state, ended ones as long as they are kept. */
  tasks: Readonly<Record<string, number>>
  queue: { depth: number; oldest_seconds: number | null }
  throughput: OutputOf<'task.throughput'>
  recent: readonly RecentTask[]
  /** The newest 20 of those that are under way. */
  deployments: readonly RunningDeployment[]
  /** The most urgent 50. */
  attention: readonly Attention[]
  attention_count: number
}

/** `fleet`: all devices the first time, then rows that are new or not as they were, beats, and the numbers of those that have gone. */
export interface FleetShown {
  rows: readonly FleetRow[]
}
export interface FleetChange {
  rows?: readonly FleetRow[]
  beats?: readonly Beat[]
  gone?: readonly number[]
}

/** `device`: all of it the first time, then the fields that are not as they were. */
export interface DeviceShown {
  /** Null for one that is not in the fleet. */
  row: FleetRow | null
  /** As its last heartbeat had it. */
  metrics: Readonly<Record<string, unknown>> | null
  capabilities: readonly string[]
  /** The runs that it has at this moment. */
  running: readonly string[]
  /** Why it takes nothing new, in its own words. */
  refuses: string | null
  /** What it has said of its workloads and releases last; null until it has. */
  reported: {
    at: string
    revision: number
    is_partial: boolean
    workloads: readonly WorkloadStatus[]
    releases: readonly ReportedRelease[]
  } | null
}

/** `tasks`: nothing at first, then those that have changed; `more` of them were not named. */
export interface TasksChange {
  tasks: readonly ChangedTask[]
  more: number
}
export interface ChangedTask {
  task_id: string
  state: string
  reason: string | null
  device: string | null
  attempt: number
  exit_code: number | null
}

/** `task`: something about it, or one of its runs, is not as it was. */
export interface TaskChange {
  changed: number
}

/** `deployments` and `deployment`: something is not as it was. */
export interface DeploymentsChange {
  changed: number
}

/** `approvals`: what waits, oldest first. All of it each time. */
export interface ApprovalsShown {
  pending: readonly Approval[]
}

/** How things stand, for every page. */
export interface Bar {
  /** Whether what is shown is live: this server reaches the broker and the controller. */
  broker: boolean
  controller: boolean
  online: number
  devices: number
  approvals: number
  attention: number
}

/** What the server says. */
export type ServerMessage =
  | { kind: 'welcome'; at: number; version: string; fleet: string }
  | { kind: 'bar'; at: number; bar: Bar }
  /** All of what is looked at: what was shown before is void. */
  | { kind: 'show'; id: number; at: number; data: unknown }
  /** What has changed since. */
  | { kind: 'change'; id: number; at: number; data: unknown }
  /** Records of a log, or events, in order and without a hole that is not a record itself; `live` when there is no more at the moment. */
  | { kind: 'records'; id: number; records: readonly LogRecord[]; next: number; live: boolean; complete: boolean }
  /** What was shown so far is void: the log begins anew, because its device has lost what it had. */
  | { kind: 'anew'; id: number }
  | { kind: 'matches'; id: number; devices: readonly number[] }
  | { kind: 'wrong'; id: number | null; error: WireError }
  /** The session has ended: sign in again. */
  | { kind: 'bye'; reason: string }

/** Who is signed in: GET and POST `/dashboard/session`. */
export interface SessionShown {
  subject: string
  role: 'viewer' | 'operator' | 'admin'
  fleet: string
  version: string
  /** Where devices find the broker, as far as this server knows: for the line that a new one joins with. */
  broker_url: string
  /** When the session or its token ends, whichever comes first. */
  expires_at: string
}
