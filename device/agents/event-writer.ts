import type { Clock, Timer } from '../../base/clock.ts'
import { type AgentEvent, maxEventBytes } from '../../schemas/agent-events.ts'
import type { RunWatcher } from '../runner.ts'
import type { Redaction, Redactor } from './redaction.ts'

/** What is said in the same breath is one event: so long it is gathered, and so much of it at most. */
const gatherMs = 300
const gatherChars = 4096
const mostText = 8 * 1024
const mostSay = 4096

export interface EventWriterDeps {
  watcher: RunWatcher
  redaction: Redaction
  clock: Clock
}

type Flow = { kind: 'message' } | { kind: 'thought' } | { kind: 'tool_output'; id: string; stream: 'stdout' | 'stderr' }

/**
 * Writes what an agent does twice: as events, and as lines that a person reads. Secrets are taken out of both before they get there, also of texts that come
 * in pieces.
 */
export const createEventWriter = ({ watcher, redaction, clock }: EventWriterDeps) => {
  const redactors = new Map<string, Redactor>()
  let flow: Flow | undefined
  let text = ''
  let timer: Timer | undefined
  /** A line has begun in the log. */
  let isInLine = false
  let lastMessage = ''

  const put = (event: AgentEvent): void => watcher.event?.(fitting(event))

  const line = (piece: string): void => {
    if (piece === '') return
    watcher.output('o', Buffer.from(piece))
    isInLine = !piece.endsWith('\n')
  }
  const breakLine = (): void => {
    if (isInLine) line('\n')
  }

  const give = (): void => {
    timer?.cancel()
    timer = undefined
    if (!flow || text === '') return
    const piece = text
    text = ''
    switch (flow.kind) {
      case 'message':
        put({ type: 'message', text: piece })
        return line(piece)
      case 'thought':
        return put({ type: 'thought', text: piece })
      case 'tool_output':
        put({ type: 'tool_output', id: flow.id, stream: flow.stream, text: piece })
        return line(piece)
    }
  }

  const keyOf = (one: Flow): string => (one.kind === 'tool_output' ? `${one.kind} ${one.id} ${one.stream}` : one.kind)

  /** What flows is over: what was held back of it is no secret. */
  const end = (): void => {
    if (!flow) return
    text += redactors.get(keyOf(flow))?.end() ?? ''
    give()
    redactors.delete(keyOf(flow))
    flow = undefined
    breakLine()
  }

  const push = (next: Flow, piece: string): void => {
    const key = keyOf(next)
    if (!flow || keyOf(flow) !== key) {
      // Two streams of one tool may come by turns: what is held back of one is given when it ends.
      if (flow && !(flow.kind === 'tool_output' && next.kind === 'tool_output')) end()
      else {
        give()
        breakLine()
      }
      flow = next
      if (next.kind === 'message') lastMessage = ''
    }
    let redactor = redactors.get(key)
    if (!redactor) {
      redactor = redaction.open()
      redactors.set(key, redactor)
    }
    const safe = redactor.push(piece)
    text += safe
    if (next.kind === 'message') lastMessage = (lastMessage + safe).slice(-mostText)
    if (text.length >= gatherChars) give()
    else timer ??= clock.after(gatherMs, give)
  }

  return {
    push,
    /** Something that is there as a whole. `say` is what the log says of it. */
    event: (event: AgentEvent, say?: string): void => {
      end()
      // What was said before a tool was called is no answer.
      if (event.type === 'tool_call') lastMessage = ''
      put(redaction.value(event) as AgentEvent) // its texts are other ones, and nothing else
      if (say !== undefined) watcher.say?.(redaction.text(say).slice(0, mostSay))
    },
    /** A tool is over: what is held back of its output is given. */
    endOf: (id: string): void => {
      give()
      for (const [key, redactor] of redactors) {
        if (!key.startsWith(`tool_output ${id} `)) continue
        const rest = redactor.end()
        redactors.delete(key)
        if (rest === '') continue
        flow = { kind: 'tool_output', id, stream: key.endsWith('stderr') ? 'stderr' : 'stdout' }
        text = rest
        give()
      }
      flow = undefined
      breakLine()
    },
    /** The last message, or as much of its end as is kept. */
    lastMessage: (): string => {
      end()
      return lastMessage.trim()
    },
    end,
  }
}
export type EventWriter = ReturnType<typeof createEventWriter>

/** An event that fits in its record: of long texts the beginning stays, and how much is not there. */
const fitting = (event: AgentEvent): AgentEvent => {
  for (let most = mostText; ; most = Math.floor(most / 4)) {
    const short = shortened(event, most) as AgentEvent // of the same shape
    if (most < 64 || Buffer.byteLength(JSON.stringify(short)) < maxEventBytes - 256) return short
  }
}

const shortened = (value: unknown, most: number): unknown => {
  if (typeof value === 'string') return value.length <= most ? value : `${value.slice(0, most)}… (${value.length - most} more)`
  if (Array.isArray(value)) return value.slice(0, most).map((one) => shortened(one, most))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, most)
      .map(([key, one]) => [key.slice(0, 256), shortened(one, most)]),
  )
}
