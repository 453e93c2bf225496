import type { Writable } from 'node:stream'
import * as acp from '@agentclientprotocol/sdk'
import type { Clock } from '../../base/clock.ts'
import { version } from '../../base/version.ts'
import type { McpServer } from '../../schemas/agent.ts'
import { fieldsOf, mostName, readUpdate, toolOf, type Update } from './updates.ts'

export interface ConversationDeps {
  /** The standard input of the agent. */
  input: Writable
  clock: Clock
  /** What goes before everything else, and what is asked. */
  texts: readonly string[]
  cwd: string
  servers: readonly McpServer[]
  /** Goes on with this one; if it was interrupted, as far as that can be. */
  earlier: { session: string; wasInterrupted: boolean } | undefined
  /** What the agent calls the conversation. */
  hasSession: (session: string) => void
  /** The request that takes what is said while it works. */
  steer: string | undefined
  seen: (update: Update) => void
  /** It writes what is no message of the protocol. */
  stray: (line: string) => void
  /** Whether it may use a tool. */
  permit: (call: { id: string; tool: string; title: string; input: unknown }) => Promise<'allow' | 'reject' | 'cancelled'>
}

/** How it went: what the agent said itself of its end, or that it did not get so far. */
export type ConversationEnd = { kind: 'answered'; stopReason: string; tokens: number | null } | { kind: 'failed'; reason: string }

const answersWithinMs = 30_000
const interrupted = 'You were interrupted. Look at how far you were, and go on with what you were asked to do, which was:'
const mostLine = 16 * 1024 * 1024
const mostWaiting = 8 * 1024 * 1024

/** Talks with an agent in the Agent Client Protocol: what it writes comes in by `receive`, and one prompt after the other is answered. */
export const startConversation = (deps: ConversationDeps) => {
  const { input, clock } = deps
  const decoder = new TextDecoder()
  let partial = ''
  let incoming: ReadableStreamDefaultController<acp.AnyMessage> | undefined
  let session: string | null = null
  let active: string | null = null
  let isTalking = false
  let isOver = false
  let talk: acp.ClientContext | undefined
  /** Said meanwhile, and for the next prompt. */
  const waiting: string[] = []
  /** Said to it while it works, and not answered yet. */
  const steering = new Set<Promise<void>>()
  /** What it was asked, and owes an answer to. */
  const open = new Set<unknown>()
  /** The calls that were told of: a request for permission does not name the tool again. */
  const calls = new Map<string, { tool: string; title: string; input: unknown }>()

  const stream: acp.Stream = {
    readable: new ReadableStream({
      start: (controller) => {
        incoming = controller
      },
    }),
    writable: new WritableStream({
      write: (message) => {
        // Who does not read what it is answered would have it pile up here.
        if (input.writableLength > mostWaiting) throw new Error('it does not read what it is told')
        const { id, method } = fieldsOf(message)
        if (method !== undefined && id !== undefined) open.add(id)
        input.write(`${JSON.stringify(message)}\n`)
      },
    }),
  }

  const take = (line: string): void => {
    if (line.trim() === '') return
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {
      return deps.stray(line)
    }
    const { jsonrpc, id, method, params } = fieldsOf(message)
    const isNotice = id === undefined && method === 'session/update'
    // Read by us and not by the protocol's reader, which drops what its own version does not know.
    if (jsonrpc === '2.0' && isNotice) return heard(fieldsOf(params)['update'])
    const isForProtocol = typeof method === 'string' ? id !== undefined || method.startsWith('$/') : open.delete(id)
    if (jsonrpc !== '2.0' || !isForProtocol) return deps.stray(line)
    incoming?.enqueue(message as acp.AnyMessage) // the protocol's own reader looks into it
  }

  const heard = (update: unknown): void => {
    // What it tells of an earlier conversation is known.
    if (!isTalking) return
    const { sessionUpdate, toolCallId } = fieldsOf(update)
    const known = sessionUpdate === 'tool_call_update' ? calls.get(String(toolCallId)) : undefined
    if (known) Object.assign(known, newerOf(known, fieldsOf(update)))
    for (const one of readUpdate(update)) {
      if (one.kind === 'active') active = one.run
      if (one.kind === 'tool_call') calls.set(one.id, one)
      if (one.kind === 'tool_result') calls.delete(one.id)
      deps.seen(one)
    }
  }

  const asked = async (request: acp.RequestPermissionRequest): Promise<acp.RequestPermissionResponse> => {
    const id = request.toolCall.toolCallId
    // What is asked for now counts, not what was told of before.
    const told = fieldsOf(request.toolCall)
    const known = calls.get(id)
    const { tool, title, input: wants } = known ? newerOf(known, told) : toolOf(told)
    const verdict = await deps.permit({ id: id.slice(0, mostName), tool, title, input: wants })
    if (verdict === 'cancelled') return { outcome: { outcome: 'cancelled' } }
    const wanted = verdict === 'allow' ? 'allow_once' : 'reject_once'
    const option =
      request.options.find((one) => one.kind === wanted) ?? request.options.find((one) => one.kind.startsWith(verdict))
    return { outcome: option ? { outcome: 'selected', optionId: option.optionId } : { outcome: 'cancelled' } }
  }

  const soon = <T>(what: string, answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = clock.after(answersWithinMs, () =>
        reject(new Error(`${what} was not answered within ${answersWithinMs / 1000} s`)),
      )
      answer.then(resolve, reject).finally(timer.cancel)
    })

  const converse = async (context: acp.ClientContext): Promise<ConversationEnd> => {
    const clientCapabilities = { fs: { readTextFile: false, writeTextFile: false }, terminal: false }
    const clientInfo = { name: 'skein', version }
    const about = await soon(
      'initialize',
      context.request<acp.InitializeResponse>('initialize', { protocolVersion: 1, clientCapabilities, clientInfo }),
    )
    const where = { cwd: deps.cwd, mcpServers: deps.servers.map(serverOf) }
    const load = (sessionId: string): Promise<unknown> =>
      soon('session/load', context.request('session/load', { sessionId, ...where }))
    const begin = async (): Promise<string> =>
      (await soon('session/new', context.request<acp.NewSessionResponse>('session/new', where))).sessionId
    const mayLoad = about.agentCapabilities?.loadSession === true
    let texts = deps.texts
    const { earlier } = deps
    if (earlier && !earlier.wasInterrupted) {
      if (!mayLoad) return { kind: 'failed', reason: 'this agent cannot go on with an earlier session' }
      await load(earlier.session)
      session = earlier.session
    } else if (earlier && mayLoad) {
      // What cannot be gone on with is begun anew.
      const isLoaded = await load(earlier.session).then(
        () => true,
        () => false,
      )
      session = isLoaded ? earlier.session : await begin()
      if (isLoaded) texts = [interrupted, ...deps.texts]
    } else session = await begin()
    deps.hasSession(session)
    talk = context
    isTalking = true
    waiting.unshift(...texts)
    let tokens: number | null = null
    for (;;) {
      const prompt = waiting.splice(0).map((text) => ({ type: 'text' as const, text }))
      const answer = await context.request<acp.PromptResponse>('session/prompt', { sessionId: session, prompt })
      // Not in the stable part of the protocol yet, and sent all the same.
      const { totalTokens } = fieldsOf(fieldsOf(answer)['usage'])
      tokens = typeof totalTokens === 'number' ? totalTokens : null
      // Whether it took what was said at the last moment is not known before it says so.
      while (steering.size > 0) await Promise.all(steering)
      if (answer.stopReason !== 'end_turn' || waiting.length === 0) {
        isTalking = false
        return { kind: 'answered', stopReason: answer.stopReason, tokens }
      }
    }
  }

  const steer = (context: acp.ClientContext, method: string, text: string): void => {
    const params = { sessionId: session, expectedRunId: active, prompt: [{ type: 'text', text }] }
    const taken = soon(method, context.request(method, params))
      .then(
        () => undefined,
        () => void waiting.push(text),
      )
      .finally(() => steering.delete(taken))
    steering.add(taken)
  }

  const finished = acp
    .client({ name: 'skein' })
    .onRequest('session/request_permission', (context) => asked(context.params))
    .connectWith(stream, converse)
    .catch((error: unknown): ConversationEnd => ({ kind: 'failed', reason: reasonOf(error) }))
    .finally(() => {
      isOver = true
      isTalking = false
    })

  return {
    finished,
    /** What it writes on its standard output. */
    receive: (bytes: Uint8Array): void => {
      if (isOver) return
      const lines = (partial + decoder.decode(bytes, { stream: true })).split('\n')
      partial = lines.pop() ?? ''
      if (partial.length > mostLine) {
        deps.stray(partial)
        partial = ''
      }
      for (const line of lines) take(line)
    },
    /** Says something to it while it works; what it does not take at once it gets when it has finished what it is at. */
    say: (text: string): boolean => {
      if (!isTalking || !talk) return false
      if (deps.steer === undefined || active === null) waiting.push(text)
      else steer(talk, deps.steer, text)
      return true
    },
    cancel: (): void => {
      if (isTalking && session !== null) void talk?.notify('session/cancel', { sessionId: session })
    },
    session: (): string | null => session,
    /** Its process has gone: nothing more will come. */
    close: (): void => {
      if (partial !== '' && !isOver) take(partial)
      partial = ''
      try {
        incoming?.close()
      } catch {
        // The other side has closed it.
      }
    },
  }
}
export type Conversation = ReturnType<typeof startConversation>

interface ToldCall {
  tool: string
  title: string
  input: unknown
}

/** A call as it is told of later: with what is new of it. */
const newerOf = (known: ToldCall, told: Readonly<Record<string, unknown>>): ToldCall => {
  const { title, input } = toolOf(told)
  return {
    tool: known.tool,
    title: title === '' ? known.title : title,
    input: told['rawInput'] === undefined ? known.input : input,
  }
}

const serverOf = (server: McpServer): acp.McpServer =>
  server.type === 'http'
    ? { type: 'http', name: server.name, url: server.url, headers: pairsOf(server.headers) }
    : { name: server.name, command: server.command, args: server.args, env: pairsOf(server.env) }

const pairsOf = (given: Readonly<Record<string, string>>): { name: string; value: string }[] =>
  Object.entries(given).map(([name, value]) => ({ name, value }))

/** An error of the protocol says in its data what was wrong. */
const reasonOf = (error: unknown): string => {
  const { message, data } = fieldsOf(error)
  const more = data === undefined ? '' : `: ${typeof data === 'string' ? data : JSON.stringify(data)}`
  return `${typeof message === 'string' ? message : String(error)}${more}`.slice(0, 2000)
}
