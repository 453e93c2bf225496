import { z } from 'zod'
import { Instant } from './ids.ts'

export const eventKinds = ['task', 'run', 'device', 'workload', 'approval', 'deployment', 'audit'] as const
export type EventKind = (typeof eventKinds)[number]

/** A CloudEvent; a message on `event/<kind>` is a list of them: all that one commit changed. */
export const SkeinEvent = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: Instant,
  datacontenttype: z.literal('application/json'),
  data: z.record(z.string(), z.unknown()),
})
export type SkeinEvent = z.infer<typeof SkeinEvent>
