import { z } from 'zod'
import { deviceStates } from './device.ts'
import { WireError } from './errors.ts'
import { DeviceName, Instant } from './ids.ts'
import { many, number, type Operation, page } from './operation.ts'
import { WorkloadName } from './workload.ts'
import { WorkloadLogPage, workloadRequests } from './workload-requests.ts'
import { ReloadDiff, WorkloadStatus, workloadStates } from './workload-status.ts'

/** A workload as the controller shows it: as its device reported it last. */
export const FleetWorkload = WorkloadStatus.extend({
  device: DeviceName,
  device_state: z.enum(deviceStates),
  /** When the device said so, by the controller's clock. */
  reported_at: Instant,
})
export type FleetWorkload = z.infer<typeof FleetWorkload>

/** How long the device may take to answer. What it was told is not taken back when this is over. */
const waits = { timeout_seconds: number(z.number().int().min(1).max(60)).default(10) }
/** With the same key it is done once, however often it is asked for: the device remembers its last 256 answers. */
const once = { idempotency_key: z.string().min(1).max(256).optional() }
const ofWorkload = z.strictObject({ device: DeviceName, workload: WorkloadName })
const from = { device: DeviceName }

/** What can be asked about workloads. All but `list` and `get`, which show what devices have reported, are answered by the device itself. */
export const workloadOperations = {
  'workload.list': {
    summary: 'List workloads as their devices have reported them, by device and name',
    role: 'viewer',
    http: { method: 'get', path: '/workloads', status: 200 },
    input: z.strictObject({
      ...page,
      device: DeviceName.optional(),
      selector: z.string().max(1024).optional(),
      state: many(z.enum(workloadStates)).optional(),
      name: WorkloadName.optional(),
      tag: z.string().optional(),
    }),
    output: z.looseObject({ workloads: z.array(FleetWorkload), cursor: z.string().nullable() }),
  },
  'workload.get': {
    summary: 'Show a workload as its device has reported it',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}/workloads/{workload}', status: 200 },
    input: ofWorkload,
    output: FleetWorkload,
  },
  'workload.start': {
    summary: 'Start a workload; one that has ended or looped begins anew',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/workloads/{workload}/start', status: 200 },
    input: ofWorkload.extend({ ...waits, ...once }),
    output: WorkloadStatus.extend(from),
  },
  'workload.stop': {
    summary: 'Stop a workload; it stays so until it is started',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/workloads/{workload}/stop', status: 200 },
    input: ofWorkload.extend({ ...waits, ...once }),
    output: WorkloadStatus.extend(from),
  },
  'workload.restart': {
    summary: 'Stop a workload and start it again',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/workloads/{workload}/restart', status: 200 },
    input: ofWorkload.extend({ ...waits, ...once }),
    output: WorkloadStatus.extend(from),
  },
  'workload.reload': {
    summary: 'Let a device read its files again, and touch only what has changed',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/reload', status: 200 },
    input: z.strictObject({ device: DeviceName, ...waits, ...once }),
    output: ReloadDiff.extend(from),
  },
  'workload.logs': {
    summary: 'Read the log of a workload from its device: between sequence numbers or instants, or its last lines',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}/workloads/{workload}/logs', status: 200 },
    input: workloadRequests.logs.input.extend({ device: DeviceName, ...waits }),
    output: WorkloadLogPage.extend(from),
  },
  'workload.history': {
    summary: 'Show the last runs of a workload, as its device has them',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}/workloads/{workload}/history', status: 200 },
    input: workloadRequests.history.input.extend({ device: DeviceName, ...waits }),
    output: workloadRequests.history.output.extend(from),
  },
  'workload.shell': {
    summary: 'Open a shell where a workload runs, type into it, read what it writes, end it',
    role: 'admin',
    http: { method: 'post', path: '/devices/{device}/workloads/{workload}/shell', status: 200 },
    input: workloadRequests.shell.input.extend({ device: DeviceName, ...waits, ...once }),
    output: workloadRequests.shell.output.extend(from),
  },
  'device.answer': {
    summary: 'Answer what the controller has asked of the device',
    role: 'device',
    http: { method: 'post', path: '/answer', status: 200 },
    input: z.strictObject({
      request: z.string().max(64),
      ok: z.boolean(),
      output: z.unknown().optional(),
      error: WireError.optional(),
    }),
    output: z.looseObject({}),
  },
} as const satisfies Record<string, Operation>

/** The operations that a device answers: each may take as long as the device does. */
export const deviceAnswered = [
  'workload.start',
  'workload.stop',
  'workload.restart',
  'workload.reload',
  'workload.logs',
  'workload.history',
  'workload.shell',
] as const
export type DeviceAnswered = (typeof deviceAnswered)[number]
export const isDeviceAnswered = (name: string): name is DeviceAnswered => (deviceAnswered as readonly string[]).includes(name) // any text may be asked about
