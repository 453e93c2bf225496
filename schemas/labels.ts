import { z } from 'zod'

/** A label's key and value, by Kubernetes' rules; `drained` is the controller's own. */
export const LabelKey = z
  .string()
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'is 1 to 63 of letters, digits, ".", "_", "-" and "/"')
  .refine((key) => key !== 'drained', '"drained" is set by draining')
export const LabelValue = z.string().regex(/^[A-Za-z0-9._-]{0,63}$/, 'is at most 63 of letters, digits, ".", "_" and "-"')
