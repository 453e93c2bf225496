import type { AgentEvent } from '../../../schemas/agent-events.ts'

/** Whether an event has what is read of it, as the schema has it. Whoever wrote it may know more than this page, or less than the controller. */
export const isKnownEvent = (event: unknown): event is AgentEvent => {
  if (!isObject(event)) return false
  const { type } = event
  return typeof type === 'string' && Object.hasOwn(shapes, type) && fits(event, shapes[type as AgentEvent['type']]) // a key of it
}

type Check = (value: unknown) => boolean
type Shape = Readonly<Record<string, Check>>

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
const fits = (value: unknown, shape: Shape): boolean =>
  isObject(value) && Object.entries(shape).every(([field, check]) => check(value[field]))

const text: Check = (value) => typeof value === 'string'
const number: Check = (value) => typeof value === 'number'
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const list =
  (shape: Shape): Check =>
  (value) =>
    Array.isArray(value) && value.every((one) => fits(one, shape))
const stream: Check = (value) => value === 'stdout' || value === 'stderr'

const used = { turns: number, tokens: number, cost: orNull(number), currency: orNull(text) }

const shapes: Readonly<Record<AgentEvent['type'], Shape>> = {
  message: { text },
  thought: { text },
  notification: { text },
  said: { text, by: text },
  output: { stream, text },
  tool_call: { id: text, tool: text, title: text },
  tool_output: { id: text, stream, text },
  tool_result: { id: text, status: text },
  plan: { entries: list({ content: text, status: text }) },
  permission: {
    ...{ approval: text, state: text, id: text, tool: text, title: text, expires_at: text },
    ...{ by: orNull(text), reason: orNull(text) },
  },
  usage: used,
  complete: {
    ...{ stop_reason: text, text, session: orNull(text), ...used },
    artifacts: list({ path: text, size: number, sha256: text }),
  },
}
