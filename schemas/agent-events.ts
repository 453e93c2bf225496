import { z } from 'zod'
import { AgentResult } from './agent.ts'
import { ApprovalId, Instant } from './ids.ts'

/** A request for permission as it stands: the same in events, in what a device reports, and where it is kept. */
export const approvalStates = ['pending', 'approved', 'rejected', 'expired', 'withdrawn'] as const
export type ApprovalState = (typeof approvalStates)[number]

/** device/<d>/run carries it within a change of a run: what an agent wants to do, and what was said to that. */
export const ApprovalChange = z.looseObject({
  approval: ApprovalId,
  state: z.enum(approvalStates),
  tool: z.string(),
  title: z.string(),
  input: z.unknown(),
  requested_at: Instant,
  expires_at: Instant,
  /** Who decided, and why; null while nobody has. */
  by: z.string().nullable(),
  reason: z.string().nullable(),
})
export type ApprovalChange = z.infer<typeof ApprovalChange>

/** What an agent does, as it does it: records of the stream `agent:<run>`. What is said in the same breath is one message. */
export const AgentEvent = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('message'), text: z.string() }),
  z.looseObject({ type: z.literal('thought'), text: z.string() }),
  z.looseObject({ type: z.literal('tool_call'), id: z.string(), tool: z.string(), title: z.string(), input: z.unknown() }),
  z.looseObject({ type: z.literal('tool_output'), id: z.string(), stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  z.looseObject({ type: z.literal('tool_result'), id: z.string(), status: z.string(), output: z.unknown() }),
  z.looseObject({ type: z.literal('plan'), entries: z.array(z.looseObject({ content: z.string(), status: z.string() })) }),
  z.looseObject({
    type: z.literal('permission'),
    approval: z.string(),
    state: z.enum(approvalStates),
    id: z.string(),
    tool: z.string(),
    title: z.string(),
    input: z.unknown(),
    expires_at: Instant,
    by: z.string().nullable(),
    reason: z.string().nullable(),
  }),
  z.looseObject({
    type: z.literal('usage'),
    turns: z.number().int(),
    tokens: z.number().int(),
    cost: z.number().nullable(),
    currency: z.string().nullable(),
  }),
  /** Somebody steers. */
  z.looseObject({ type: z.literal('said'), text: z.string(), by: z.string() }),
  z.looseObject({ type: z.literal('notification'), text: z.string() }),
  /** What the agent wrote that is none of the above. */
  z.looseObject({ type: z.literal('output'), stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  z.looseObject({ type: z.literal('complete'), ...AgentResult.shape }),
])
export type AgentEvent = z.infer<typeof AgentEvent>

/** How many bytes of JSON an event takes at most; longer texts in it are cut, and say so. */
export const maxEventBytes = 48 * 1024
