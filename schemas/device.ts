import { z } from 'zod'
import { DeviceName, Instant } from './ids.ts'

/** online: heard of lately. stale: connected, but silent. offline: it left, or was given up. */
export const deviceStates = ['online', 'stale', 'offline'] as const
export type DevicePresence = (typeof deviceStates)[number]

/** A device as it is shown. */
export const Device = z.looseObject({
  device: DeviceName,
  state: z.enum(deviceStates),
  reason: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
  capacity: z.number().int(),
  running: z.number().int(),
  drained: z.boolean(),
  version: z.string().nullable(),
  last_seen_at: Instant.nullable(),
  joined_at: Instant,
  metrics: z.record(z.string(), z.unknown()).nullable(),
})
export type Device = z.infer<typeof Device>
