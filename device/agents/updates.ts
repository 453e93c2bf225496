import { isTooDeep } from '../../schemas/depth.ts'

/** What an update of a session says, as far as we know it. */
export type Update =
  /** `isOwn`: the agent's own word, not the model's. */
  | { kind: 'message' | 'thought'; text: string; isOwn: boolean }
  | { kind: 'tool_call'; id: string; tool: string; title: string; input: unknown }
  | { kind: 'tool_output'; id: string; stream: 'stdout' | 'stderr'; text: string }
  | { kind: 'tool_result'; id: string; status: string; output: unknown }
  | { kind: 'plan'; entries: { content: string; status: string }[] }
  | { kind: 'notification'; text: string }
  | { kind: 'usage'; used: number; cost: number | null; currency: string | null }
  /** As it was said. */
  | { kind: 'unknown'; text: string }
  /** The name under which the agent takes what is said to it meanwhile; null when it has finished. */
  | { kind: 'active'; run: string | null }

/** Reads `session/update` of the Agent Client Protocol, and what Goose adds to it under `_meta`. */
export const readUpdate = (update: unknown): Update[] => {
  const one = fieldsOf(update)
  switch (one['sessionUpdate']) {
    case 'agent_message_chunk':
    case 'agent_thought_chunk': {
      const { text } = fieldsOf(one['content'])
      if (typeof text !== 'string') return [unknown(update)]
      const kind = one['sessionUpdate'] === 'agent_message_chunk' ? 'message' : 'thought'
      return text === '' ? [] : [{ kind, text, isOwn: isOwnWord(one['messageId']) }]
    }
    case 'tool_call':
      return [{ kind: 'tool_call', id: nameOf(one['toolCallId']), ...toolOf(one) }, ...progressOf(one)]
    case 'tool_call_update':
      return progressOf(one)
    case 'plan':
      return [{ kind: 'plan', entries: listOf(one['entries']).map(planEntry) }]
    case 'usage_update': {
      const cost = fieldsOf(one['cost'])
      const currency = typeof cost['currency'] === 'string' ? cost['currency'].slice(0, 16) : null
      return [{ kind: 'usage', used: numberOf(one['used']) ?? 0, cost: numberOf(cost['amount']), currency }]
    }
    case 'session_info_update': {
      const goose = fieldsOf(fieldsOf(one['_meta'])['goose'])
      const run = goose['activeRunId']
      return run === undefined ? [] : [{ kind: 'active', run: typeof run === 'string' ? run : null }]
    }
    // About the agent itself, or what we have said.
    case 'user_message_chunk':
    case 'available_commands_update':
    case 'current_mode_update':
    case 'config_option_update':
      return []
    default:
      return [unknown(update)]
  }
}

/** Kept as it is: agents say more than any one version of the protocol knows. */
const unknown = (update: unknown): Update => ({ kind: 'unknown', text: JSON.stringify(flat(update ?? null)) })

/** What a tool is called, and what with. */
export const toolOf = (call: Fields): { tool: string; title: string; input: unknown } => {
  const named = fieldsOf(fieldsOf(fieldsOf(call['_meta'])['goose'])['toolCall'])
  const title = textOf(call['title'])
  const extension = textOf(named['extensionName'])
  const name = textOf(named['toolName'])
  const tool = name === '' ? (title.split(' ')[0] ?? '') : extension === '' ? name : `${extension}__${name}`
  return { tool: tool.slice(0, mostName), title: title.slice(0, mostTitle), input: flat(call['rawInput'] ?? null) }
}

const progressOf = (one: Fields): Update[] => {
  const id = nameOf(one['toolCallId'])
  const note = fieldsOf(fieldsOf(fieldsOf(one['_meta'])['toolNotification'])['params'])
  const live = listOf(note['chunks']).map((chunk): Update => {
    const { stream, output } = fieldsOf(chunk)
    return { kind: 'tool_output', id, stream: stream === 'stderr' ? 'stderr' : 'stdout', text: textOf(output) }
  })
  const status = textOf(one['status'])
  if (status !== 'completed' && status !== 'failed') return live
  return [...live, { kind: 'tool_result', id, status, output: flat(one['rawOutput'] ?? contentOf(one['content'])) }]
}

const contentOf = (content: unknown): string =>
  listOf(content)
    .map((part) => textOf(fieldsOf(fieldsOf(part)['content'])['text']))
    .join('\n')

const planEntry = (entry: unknown): { content: string; status: string } => {
  const { content, status } = fieldsOf(entry)
  return { content: textOf(content), status: textOf(status) }
}

/** Goose gives what it says itself, such as that a network has failed, an id of its own making; the others are the model's. */
export const isOwnWord = (id: unknown): boolean =>
  typeof id === 'string' && /^msg_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id)

/** What an agent says is as long as it likes; what is made of it has to fit in messages. */
export const mostName = 200
const mostTitle = 1000
export const nameOf = (value: unknown): string => textOf(value).slice(0, mostName)

/** A value that can be gone through: what is nested without end could be neither searched nor written. */
export const flat = (value: unknown): unknown => (isTooDeep(value) ? '(nested too deep to be shown)' : value)

type Fields = Readonly<Record<string, unknown>>

export const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // any object has fields
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const numberOf = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null)
