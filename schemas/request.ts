import { z } from 'zod'

/** What a client sends to `request/<client>/<operation>`. `id` comes back in the reply. For `task.submit` the bare task is taken too. */
export const Request = z.looseObject({
  id: z.string().max(256).optional(),
  reply_to: z.string().optional(),
  /** For task.submit: the changes of the task are sent to the reply topic as well. */
  follow: z.boolean().optional(),
  input: z.unknown().optional(),
})
export type Request = z.infer<typeof Request>

/** What comes back: the output or an error; or, after `follow`, an event. */
export const Reply = z.looseObject({
  id: z.string().nullable(),
  ok: z.boolean(),
  output: z.unknown().optional(),
  error: z
    .looseObject({ code: z.string(), message: z.string(), retryable: z.boolean(), details: z.array(z.unknown()).optional() })
    .optional(),
  event: z.literal('task').optional(),
})
export type Reply = z.infer<typeof Reply>

/** The largest encoded message on the wire; every broker of the profile takes it. */
export const maxMessageBytes = 128 * 1024
/** What an operation's output may take of a message, so that the envelope around it fits as well. */
export const maxOutputBytes = 120 * 1024
