import { z } from 'zod'
import { Device, deviceStates } from './device.ts'
import { DeviceName, Instant, RunId } from './ids.ts'
import { Jws } from './keys.ts'
import { LabelKey, LabelValue } from './labels.ts'
import { limit, many, type Operation, page, yesOrNo } from './operation.ts'

const Series = z.array(z.number().nullable())
/** One name or several: a list, or text with commas between them. */
const names = (most: number) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(DeviceName).min(1).max(most))

/** What can be asked about devices, and by them. */
export const deviceOperations = {
  'device.list': {
    summary: 'List devices, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/devices', status: 200 },
    input: z.strictObject({ ...page, state: many(z.enum(deviceStates)).optional(), selector: z.string().max(1024).optional() }),
    output: z.looseObject({ devices: z.array(Device), cursor: z.string().nullable() }),
  },
  'device.get': {
    summary: 'Show a device',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}', status: 200 },
    input: z.strictObject({ device: DeviceName }),
    output: Device,
  },
  'device.metrics': {
    summary: 'How busy devices have been: processor, memory, disk and temperature over time',
    role: 'viewer',
    http: { method: 'get', path: '/device-metrics', status: 200 },
    input: z.strictObject({
      devices: names(100),
      /** Without it, the last hour. */
      since: Instant.optional(),
      until: Instant.optional(),
      /** How many points at most. A step is a number of whole minutes. */
      points: limit(500, 60),
    }),
    output: z.looseObject({
      /** The instant of the first point; the others follow each `step_seconds`. */
      from: Instant,
      step_seconds: z.number().int(),
      /** Means over each step, null where nothing was heard. Devices that are not known are left out. */
      devices: z.array(
        z.looseObject({
          device: DeviceName,
          cpu_percent: Series,
          memory_percent: Series,
          disk_percent: Series,
          temperature_celsius: Series,
        }),
      ),
    }),
  },
  'device.drain': {
    summary: 'Give a device no more work; what it runs goes on',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/drain', status: 200 },
    input: z.strictObject({ device: DeviceName }),
    output: Device,
  },
  'device.undrain': {
    summary: 'Give a drained device work again',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/undrain', status: 200 },
    input: z.strictObject({ device: DeviceName }),
    output: Device,
  },
  'device.label': {
    summary: 'Put labels on a device or take them off; they win over those that it gives itself',
    role: 'operator',
    http: { method: 'post', path: '/devices/{device}/labels', status: 200 },
    input: z.strictObject({
      device: DeviceName,
      set: z.record(LabelKey, LabelValue).default({}),
      remove: z.array(z.string()).default([]),
    }),
    output: Device,
  },
  'device.remove': {
    summary: 'Take a device out of the fleet: its tokens are revoked, and what waits for it ends',
    role: 'admin',
    http: { method: 'delete', path: '/devices/{device}', status: 200 },
    input: z.strictObject({ device: DeviceName, force: yesOrNo.default(false) }),
    output: z.looseObject({ device: DeviceName, removed: z.boolean(), lost: z.array(RunId) }),
  },
  'device.join': {
    summary: 'Join the fleet: a device with a join token shows its keys and gets a token of its own',
    role: 'join',
    http: { method: 'post', path: '/join', status: 200 },
    input: z.strictObject({ request: Jws }),
    output: z.looseObject({ device: DeviceName, sealed: z.string() }),
  },
  'device.renew': {
    summary: 'Get a new token for one that expires or has expired, signed with the key of the device',
    role: 'device',
    http: { method: 'post', path: '/renew', status: 200 },
    input: z.strictObject({ request: Jws }),
    output: z.looseObject({ device: DeviceName, sealed: z.string() }),
  },
  'device.refuse': {
    summary: 'Tell that a command was not obeyed, and why',
    role: 'device',
    http: { method: 'post', path: '/refuse', status: 200 },
    input: z.strictObject({
      verb: z.string().max(64),
      reason: z.string().max(64),
      id: z.string().max(64).optional(),
      /** How many for this reason since the last word. */
      count: z.number().int().min(1).default(1),
    }),
    output: z.looseObject({}),
  },
} as const satisfies Record<string, Operation>
