import type { AgentResult } from '../../../schemas/agent.ts'
import type { AgentEvent } from '../../../schemas/agent-events.ts'
import type { Dropped, LogRecord } from '../../../schemas/log.ts'
import { isKnownEvent } from './known-event.ts'

type EventOf<T extends AgentEvent['type']> = Extract<AgentEvent, { type: T }>

export interface Piece {
  stream: 'stdout' | 'stderr'
  text: string
}

/** What a tool was called with, what it has written so far, and how it ended. */
export interface ToolCall {
  kind: 'tool'
  at: number
  endedAt: number | null
  id: string
  tool: string
  title: string
  input: unknown
  output: readonly Piece[]
  state: 'running' | 'ok' | 'error'
  /** What it came to, if that is not what it has written anyway. */
  result: unknown
}

/** One thing that was said or done, in its place. One that goes on is replaced, so that what is the same object has not changed. */
export type Item =
  | { kind: 'message' | 'thought'; at: number; text: string }
  | { kind: 'said'; at: number; text: string; by: string }
  | { kind: 'notification'; at: number; text: string }
  | { kind: 'output'; at: number; stream: 'stdout' | 'stderr'; text: string }
  | { kind: 'permission'; at: number; asked: EventOf<'permission'> }
  | { kind: 'dropped'; at: number; dropped: Dropped }
  /** Of an agent that knows more than this page, or says it in another way. */
  | { kind: 'other'; at: number; event: unknown }
  | ToolCall

export interface Conversation {
  items: readonly Item[]
  plan: EventOf<'plan'>['entries']
  usage: EventOf<'usage'> | null
  result: AgentResult | null
  /** The number of the last event. */
  seq: number
}

export const noConversation: Conversation = { items: [], plan: [], usage: null, result: null, seq: 0 }

/** So many characters of what a tool has written are kept: its end. */
const mostOutput = 512 * 1024

/** The conversation after more events; one that has come before changes nothing. */
export const conversationAfter = (before: Conversation, records: readonly LogRecord[]): Conversation => {
  const items = [...before.items]
  let { plan, usage, result, seq } = before

  /** Changes the last call of this id; one that nothing is known of begins here: its beginning was dropped. */
  const changeCall = (id: string, at: number, change: (call: ToolCall) => ToolCall): void => {
    const place = items.findLastIndex((item) => item.kind === 'tool' && item.id === id)
    const call = items[place]
    if (call?.kind === 'tool') items[place] = change(call)
    else items.push(change(callOf(at, id, '', '', null)))
  }

  const take = (event: AgentEvent, at: number): void => {
    const last = items.at(-1)
    switch (event.type) {
      case 'message':
      case 'thought':
        if (last?.kind === event.type) items[items.length - 1] = { ...last, text: last.text + event.text }
        else items.push({ kind: event.type, at, text: event.text })
        return
      case 'output':
        if (last?.kind === 'output' && last.stream === event.stream)
          items[items.length - 1] = { ...last, text: `${last.text}\n${event.text}`.slice(-mostOutput) }
        else items.push({ kind: 'output', at, stream: event.stream, text: event.text })
        return
      case 'said':
        return void items.push({ kind: 'said', at, text: event.text, by: event.by })
      case 'notification':
        return void items.push({ kind: 'notification', at, text: event.text })
      case 'tool_call':
        return void items.push(callOf(at, event.id, event.tool, event.title, event.input))
      case 'tool_output':
        return changeCall(event.id, at, (call) => ({ ...call, output: withOutput(call.output, event) }))
      case 'tool_result':
        return changeCall(event.id, at, (call) => ({
          ...call,
          endedAt: at,
          state: event.status === 'completed' ? 'ok' : 'error',
          result: isWritten(call.output, event.output) ? null : event.output,
        }))
      case 'permission': {
        const place = items.findLastIndex((item) => item.kind === 'permission' && item.asked.approval === event.approval)
        if (place < 0) items.push({ kind: 'permission', at, asked: event })
        else items[place] = { kind: 'permission', at: items[place]?.at ?? at, asked: event }
        return
      }
      case 'plan':
        plan = event.entries
        return
      case 'usage':
        usage = event
        return
      case 'complete':
        result = event
        return
    }
  }

  for (const [number, at, , content] of records) {
    if (number <= seq) continue
    seq = number
    if (typeof content === 'string') take({ type: 'output', stream: 'stdout', text: content }, at)
    else if (isKnownEvent(content)) take(content, at)
    else if (!('type' in content) && 'dropped' in content) items.push({ kind: 'dropped', at, dropped: content.dropped })
    else items.push({ kind: 'other', at, event: content })
  }
  return { items, plan, usage, result, seq }
}

const callOf = (at: number, id: string, tool: string, title: string, input: unknown): ToolCall => ({
  ...{ kind: 'tool', at, endedAt: null, id, tool, title, input },
  ...{ output: [], state: 'running', result: null },
})

const withOutput = (before: readonly Piece[], { stream, text }: Piece): Piece[] => {
  const last = before.at(-1)
  const pieces =
    last?.stream === stream ? [...before.slice(0, -1), { stream, text: last.text + text }] : [...before, { stream, text }]
  for (let over = pieces.reduce((sum, one) => sum + one.text.length, 0) - mostOutput; over > 0; ) {
    const [first, ...others] = pieces
    if (!first || first.text.length > over)
      return [{ stream: first?.stream ?? stream, text: first?.text.slice(over) ?? '' }, ...others]
    over -= first.text.length
    pieces.shift()
  }
  return pieces
}

/** Whether a result tells only what the tool has written before: a text of it, or all that it wrote to each stream. */
const isWritten = (output: readonly Piece[], result: unknown): boolean => {
  if (output.length === 0) return result === null || result === undefined || result === ''
  const written = (stream?: Piece['stream']): string =>
    output.map((one) => (stream === undefined || one.stream === stream ? one.text : '')).join('')
  // Of a long text the result has the beginning, and says so.
  const isIn = (told: string, all: string): boolean => {
    const [, beginning] = /^(.*)… \(\d+ more\)$/s.exec(told) ?? []
    return beginning === undefined ? told.trim() === all.trim() : all.trim().startsWith(beginning.trim())
  }
  if (typeof result === 'string') return isIn(result, written())
  if (typeof result !== 'object' || result === null) return false
  const { stdout, stderr } = result as { stdout?: unknown; stderr?: unknown } // any object has fields
  if (typeof stdout !== 'string' && typeof stderr !== 'string') return false
  return isIn(String(stdout ?? ''), written('stdout')) && isIn(String(stderr ?? ''), written('stderr'))
}
