import { z } from 'zod'
import { Instant } from '../../schemas/ids.ts'

export const manifestName = 'manifest.json'

/** What a backup says of itself; the last file in it. */
export const Manifest = z.looseObject({
  format: z.literal(1),
  version: z.string(),
  /** Of the controller when the copy was taken. */
  epoch: z.number().int(),
  at: Instant,
  tasks: z.number().int(),
  logs: z.boolean(),
  files: z.array(z.object({ path: z.string(), bytes: z.number().int(), sha256: z.string() })),
})
export type Manifest = z.infer<typeof Manifest>
