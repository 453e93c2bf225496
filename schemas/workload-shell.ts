import { z } from 'zod'
import { number } from './operation.ts'
import { WorkloadName } from './workload.ts'

/** What bounds the shells that are open on a device for people elsewhere. */
export const shellLimits = {
  sessions: 4,
  /** What is kept of the output of each. */
  keepBytes: 1024 * 1024,
  /** What an answer carries of it. */
  outputBytes: 48 * 1024,
  writeBytes: 16 * 1024,
  /** Without a request for so long it ends. */
  idleMs: 600_000,
  waitSeconds: 20,
} as const

const cells = number(z.number().int().min(1).max(10_000)).optional()

/** One step of a shell: without `session` it is opened. */
export const ShellInput = z.strictObject({
  workload: WorkloadName,
  session: z.string().min(1).max(64).optional(),
  /** What is typed. */
  write: z
    .base64()
    .max(Math.ceil(shellLimits.writeBytes / 3) * 4)
    .optional(),
  /** What was written from this offset on is answered. */
  after: number(z.number().int().min(0)).default(0),
  /** For so long something new is waited for. */
  wait_seconds: number(z.number().int().min(0).max(shellLimits.waitSeconds)).default(0),
  rows: cells,
  columns: cells,
  /** What kind of terminal looks at it, when it is opened. */
  term: z
    .string()
    .regex(/^[A-Za-z0-9._+-]{1,64}$/)
    .default('dumb'),
  /** It is hung up. */
  end: z.boolean().optional(),
})
export type ShellInput = z.infer<typeof ShellInput>
/** As the device is asked: with whom it is for, which is the controller's word and no client's. */
export type ShellQuestion = ShellInput & { by: string }

export const ShellAnswer = z.looseObject({
  session: z.string(),
  output: z.base64(),
  /** Ask for what comes after this offset next. */
  next: z.number().int(),
  /** It has ended, and nothing comes behind `next`. */
  has_ended: z.boolean(),
  exit_code: z.number().int().nullable(),
})
export type ShellAnswer = z.infer<typeof ShellAnswer>
