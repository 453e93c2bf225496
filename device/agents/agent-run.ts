import type { Clock, Timer } from '../../base/clock.ts'
import { type AgentResult, type AgentStop, type Artifact, agentDefaults } from '../../schemas/agent.ts'
import type { RunPayload } from '../../schemas/payload.ts'
import type { ApprovalAnswer, RunEnd, RunHandle, RunWatcher } from '../runner.ts'
import type { Artifacts } from './artifacts.ts'
import type { Conversation, ConversationEnd } from './conversation.ts'
import { createEventWriter } from './event-writer.ts'
import { createMeter } from './meter.ts'
import { startOneShot } from './one-shot.ts'
import { createPermissions } from './permissions.ts'
import type { AgentProfile } from './profile.ts'
import type { Redaction } from './redaction.ts'
import { createLiveOutput, textsOf } from './tool-output.ts'
import type { Update } from './updates.ts'

export interface AgentRunDeps {
  run: string
  /** With a prompt; without one it has been told all at its start. */
  payload: RunPayload
  profile: AgentProfile
  /** The folder that it works in. */
  cwd: string
  redaction: Redaction
  /** The conversation that it goes on with. */
  earlier: { session: string; wasInterrupted: boolean } | undefined
  hasSession: (session: string) => void
  clock: Clock
  watcher: RunWatcher
  /** Starts its process. */
  start: (watcher: RunWatcher) => RunHandle
  /** What it has left, once it has gone. */
  artifacts: () => Promise<Artifacts>
  /** All of it is over. */
  over: () => void
}

/** So long an agent may take to end what it is at when it is asked to, before its processes are. */
const cancelMs = 5000
/** So long it may take to go when it has finished. */
const leaveMs = 5000
const killMs = 2000
const lastWordsMs = 200

/**
 * One run of an agent: talks with its process, tells what it does, holds its limits, and decides how it has ended. Only a conversation that came to an answer
 * of the model is a success.
 */
export const startAgentRun = (deps: AgentRunDeps): RunHandle => {
  const { run, payload, profile, clock, watcher } = deps
  const limits = limitsOf(payload)
  const writer = createEventWriter({ watcher, redaction: deps.redaction, clock })
  const stderr = deps.redaction.open()
  const decoder = new TextDecoder()
  const meter = createMeter({
    ...{ maxTurns: limits.max_turns, maxRepeats: limits.max_repeats },
    ...{ tokens: payload.budget?.tokens, cost: payload.budget?.cost },
  })
  let outcome: { stop: AgentStop; reason: string } | undefined
  let conversation: Conversation | ReturnType<typeof startOneShot> | undefined
  let silence: Timer | undefined
  let deadline: Timer | undefined
  const live = createLiveOutput()
  /** What it wrote before it was listened to. */
  const early: Buffer[] = []
  let isWaited = false
  let isReleased = false
  /** There is no room for what it writes: it is not listened to. */
  let isPaused = false
  /** What the agent said itself, as far as it was no word of the model: that something has failed. */
  let ownWord = ''
  let told = JSON.stringify(meter.figures())

  const decide = (stop: AgentStop, reason: string): void => {
    outcome ??= { stop, reason: deps.redaction.text(reason) }
  }

  /** Ends it because of a limit, or because somebody wants it: it is asked to, and after a while made to. */
  const end = (stop: AgentStop, reason: string, graceMs: number): void => {
    decide(stop, reason)
    permissions.withdraw()
    conversation?.cancel()
    const kill = (): void => handle.stop(graceMs)
    if (conversation) deadline ??= clock.after(cancelMs, kill)
    else kill()
  }

  const alive = (): void => {
    silence?.cancel()
    if (isWaited || isPaused || outcome) return
    const ms = limits.silence_seconds * 1000
    silence = clock.after(ms, () => end('silence', `no sign of life for ${limits.silence_seconds} s`, killMs))
  }

  const permissions = createPermissions({
    ...{ run, approve: limits.approve, expiresMs: limits.approval_seconds * 1000, clock },
    changed: (call, change) => {
      const input = deps.redaction.value(change.input)
      const title = deps.redaction.text(change.title)
      const { approval, state, expires_at, by, reason } = change
      const say =
        state === 'pending' ? `waits for approval of ${title}: skein approval approve ${approval}` : `${title}: ${state}`
      const facts = { approval, state, tool: call.tool, title, input, expires_at, by, reason }
      writer.event(
        { type: 'permission', id: call.id, ...facts },
        by === null ? say : `${say} by ${by}${reason ? `: ${reason}` : ''}`,
      )
      watcher.approval?.({ ...change, tool: deps.redaction.text(change.tool), title, input: shortInput(input) })
    },
    waits: (isWaiting) => {
      isWaited = isWaiting
      alive()
    },
  })

  const count = (seen: Parameters<typeof meter.count>[0]): void => {
    const exceeded = meter.count(seen)
    if (exceeded && !outcome) end(exceeded.stop, exceeded.reason, killMs)
  }

  const seen = (update: Update): void => {
    alive()
    switch (update.kind) {
      case 'message':
      case 'thought':
        ownWord = update.isOwn ? (ownWord + update.text).slice(-2000) : ''
        writer.push({ kind: update.kind }, update.text)
        return update.isOwn ? undefined : count({ kind: 'model' })
      case 'tool_call':
        ownWord = ''
        writer.event(
          { type: 'tool_call', id: update.id, tool: update.tool, title: update.title, input: update.input },
          update.title,
        )
        return count({ kind: 'tool_call', tool: update.tool, input: update.input })
      case 'tool_output':
        live.took(update)
        return writer.push({ kind: 'tool_output', id: update.id, stream: update.stream }, update.text)
      case 'tool_result':
        // What was quick is told only when it is over, or a part of it.
        for (const { stream, text } of live.rest(update.id, textsOf(update.output)))
          writer.push({ kind: 'tool_output', id: update.id, stream }, text)
        writer.endOf(update.id)
        writer.event({ type: 'tool_result', id: update.id, status: update.status, output: update.output })
        return count({ kind: 'tool_result' })
      case 'notification':
        return writer.event({ type: 'notification', text: update.text }, update.text)
      case 'plan':
        return writer.event({ type: 'plan', entries: update.entries })
      case 'usage':
        count(update)
        return tellUsage()
      case 'unknown':
        return stray(update.text)
      case 'active':
        return undefined
    }
  }

  const tellUsage = (): void => {
    const figures = meter.figures()
    if (JSON.stringify(figures) === told) return
    told = JSON.stringify(figures)
    writer.event({ type: 'usage', ...figures })
  }

  const finished = (ended: ConversationEnd): void => {
    silence?.cancel()
    permissions.withdraw()
    if (!outcome) judge(ended)
    // Its standard input ends: it has nothing more to wait for.
    handle.input?.end()
    deadline?.cancel()
    deadline = clock.after(leaveMs, () => handle.stop(killMs))
  }

  const judge = (ended: ConversationEnd): void => {
    if (ended.kind === 'failed') return decide('agent_failed', ended.reason)
    const text = writer.lastMessage()
    switch (ended.stopReason) {
      case 'end_turn':
        // What it says itself in place of the model is that this did not answer, or that it is not to go on.
        if (ownWord !== '')
          return /maximum number of/i.test(ownWord) ? decide('max_turns', ownWord.trim()) : decide('model_error', ownWord.trim())
        return text === '' ? decide('no_answer', 'it ended without an answer') : decide('completed', 'completed')
      case 'max_turn_requests':
        return decide('max_turns', 'the agent has used all of its turns')
      case 'max_tokens':
        return decide('model_error', 'the model reached the most that it may answer')
      case 'refusal':
        return decide('refused', text === '' ? 'the model refuses' : text)
      default:
        return decide('agent_failed', `it stopped with ${ended.stopReason}`)
    }
  }

  const stray = (line: string): void => writer.event({ type: 'output', stream: 'stdout', text: line }, line)

  const talk = async (): Promise<void> => {
    const { input } = handle
    if (!input) return
    const { prompt, system } = payload
    if (prompt === undefined) {
      input.end()
      conversation = startOneShot({ seen, stray })
    } else {
      // Only where agents run it takes memory.
      const { startConversation } = await import('./conversation.ts')
      if (outcome) return
      conversation = startConversation({
        ...{ input, clock, cwd: deps.cwd, steer: profile.steer, seen, stray },
        ...{ earlier: deps.earlier, hasSession: deps.hasSession },
        texts: system === undefined ? [prompt] : [system, prompt],
        servers: payload.mcp_servers ?? [],
        permit: permissions.ask,
      })
    }
    for (const bytes of early.splice(0)) hear(bytes)
    finished(await conversation.finished)
  }

  /** Whatever it says must not be the end of the daemon. */
  const hear = (bytes: Buffer): void => {
    if (!conversation) return void early.push(Buffer.from(bytes))
    try {
      conversation.receive(bytes)
    } catch (error) {
      end('agent_failed', `it says what cannot be taken: ${String(error)}`, killMs)
    }
  }

  const inner: RunWatcher = {
    started: (pid) => {
      watcher.started(pid)
      alive()
      void talk().catch((error: unknown) => end('agent_failed', String(error), killMs))
    },
    output: (stream, bytes) => {
      if (stream === 'o') return hear(bytes)
      const text = stderr.push(decoder.decode(bytes, { stream: true }))
      if (text !== '') watcher.output('e', Buffer.from(text))
    },
    ended: (ended) => {
      finish(ended).catch((error: unknown) => {
        deps.over()
        watcher.ended({ kind: 'agent', reason: String(error), code: null, result: resultOf('agent_failed', '', []) })
      })
    },
    noRoom: () => watcher.noRoom(),
  }

  const finish = async (ended: RunEnd): Promise<void> => {
    silence?.cancel()
    deadline?.cancel()
    permissions.withdraw()
    // Nothing of it ran, or nobody knows what: that is told as of every program.
    if (ended.kind !== 'exited') {
      deps.over()
      return watcher.ended(ended)
    }
    // It went before anybody listened.
    for (const line of Buffer.concat(early.splice(0)).toString().split('\n')) if (line !== '') stray(line)
    // What it said last may be on its way yet.
    if (conversation && !outcome)
      await Promise.race([conversation.finished, new Promise((resolve) => clock.after(lastWordsMs, () => resolve(null)))])
    decide('agent_exited', `it exited with ${ended.code} before it had answered`)
    conversation?.close()
    const rest = stderr.end()
    if (rest !== '') watcher.output('e', Buffer.from(rest))
    const result = await resultNow()
    if (isReleased) return
    writer.event(
      { type: 'complete', ...result },
      `${result.stop_reason}: ${result.turns} turns, ${result.tokens} tokens${costOf(result)}`,
    )
    deps.over()
    // Agents go with 0 whatever has become of what they were asked: that is no success of the run.
    const code = outcome?.stop === 'completed' ? 0 : ended.code === 0 ? null : ended.code
    watcher.ended({ kind: 'agent', reason: outcome?.reason ?? '', code, result })
  }

  const resultOf = (stop: AgentStop, text: string, artifacts: Artifact[]): AgentResult => ({
    ...{ agent: profile.name, stop_reason: stop, text, ...meter.figures() },
    ...{ provider: payload.provider ?? null, model: payload.model ?? null },
    ...{ session: payload.keep_session && conversation?.session() ? run : null, artifacts },
  })

  const resultNow = async (): Promise<AgentResult> => {
    const left = await deps.artifacts().catch((error: unknown) => {
      watcher.say?.(`what it left cannot be listed: ${String(error)}`)
      return { files: [], isCut: false }
    })
    if (left.isCut) watcher.say?.('it left more files, or larger ones, than are listed')
    const result = resultOf(outcome?.stop ?? 'agent_exited', writer.lastMessage(), left.files)
    return deps.redaction.value(result) as AgentResult // its texts are other ones, and nothing else
  }

  const handle: RunHandle = deps.start(inner)

  return {
    ...handle,
    stop: (graceMs) => end('stopped', 'it was stopped', graceMs),
    cutOff: (graceMs) => {
      decide('timed_out', 'its time was over')
      permissions.withdraw()
      conversation?.cancel()
      handle.stop(Math.min(graceMs, killMs))
    },
    tell: (text, by) => {
      const isHeard = !outcome && (conversation?.say(text) ?? false)
      if (!isHeard) return false
      meter.prompted()
      alive()
      writer.event({ type: 'said', text, by }, `${by} says: ${text}`)
      return true
    },
    answer: (answer: ApprovalAnswer) => permissions.answer(answer),
    pause: () => {
      isPaused = true
      alive()
      handle.pause()
    },
    resume: () => {
      isPaused = false
      alive()
      handle.resume()
    },
    release: () => {
      isReleased = true
      silence?.cancel()
      deadline?.cancel()
      handle.release()
    },
  }
}

const limitsOf = (payload: RunPayload) => ({
  approve: payload.approve ?? agentDefaults.approve,
  approval_seconds: payload.approval_seconds ?? agentDefaults.approval_seconds,
  silence_seconds: payload.silence_seconds ?? agentDefaults.silence_seconds,
  max_turns: payload.max_turns ?? agentDefaults.max_turns,
  max_repeats: payload.max_repeats ?? agentDefaults.max_repeats,
})

const costOf = ({ cost, currency }: AgentResult): string => (cost === null ? '' : `, ${cost.toFixed(4)} ${currency ?? ''}`)

/** What an agent wants to do has to fit in a message together with others. */
const shortInput = (input: unknown): unknown => {
  const text = JSON.stringify(input) ?? 'null'
  return text.length <= 8000 ? input : { cut: `${text.slice(0, 8000)}… (${text.length - 8000} more)` }
}
