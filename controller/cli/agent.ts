import type { AgentSettings, Approve, Budget, McpServer } from '../../schemas/agent.ts'
import { usageFailure } from './exit.ts'
import { unitSeconds } from './flags.ts'
import type { Io } from './io.ts'
import { type RunFlags, runTask, taskWith } from './run.ts'
import { withClient } from './with-client.ts'

export interface AgentFlags extends RunFlags {
  agent?: string
  provider?: string
  model?: string
  system?: string
  maxTurns?: number
  approve?: string[]
  approvalTimeout?: number
  budget?: string
  silence?: number
  mcp?: string[]
  secret?: string[]
  session?: string
  keepSession?: boolean
}

/** `skein agent`: asks an agent on a device, follows what it does, and ends with 0 if it came to an answer. */
export const askAgent = (io: Io, flags: AgentFlags, prompt: string): Promise<number> => {
  const task = taskOfAgent(flags, prompt, `agent-${io.chance.ulid(io.clock.now())}`)
  return withClient(io, flags, (client) => runTask(io, client, flags, task))
}

export const taskOfAgent = (flags: AgentFlags, prompt: string, key: string): Record<string, unknown> => {
  const budget = flags.budget === undefined ? undefined : budgetOf(flags.budget)
  const settings: AgentSettings = {
    ...given('agent', flags.agent),
    ...given('provider', flags.provider),
    ...given('model', flags.model),
    ...given('system', flags.system),
    ...given('max_turns', flags.maxTurns),
    ...given('approve', flags.approve && approveOf(flags.approve)),
    ...given('approval_seconds', flags.approvalTimeout),
    ...given('silence_seconds', flags.silence),
    ...given('budget', budget && Object.keys(budget.limits).length > 0 ? budget.limits : undefined),
    ...given('mcp_servers', flags.mcp?.map(serverOf)),
    ...given('secrets', flags.secret),
    ...given('keep_session', flags.keepSession),
    ...given('session', flags.session),
  }
  const task = taskWith({ prompt, ...settings }, flags, key)
  return { ...task, type: 'agent', options: { ...given('timeout_seconds', budget?.seconds), ...task.options } }
}

const given = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, V>) // of this one key

/** `none`, `tools`, or patterns of what is to be asked for. */
const approveOf = (words: readonly string[]): Approve => {
  const [first] = words
  if (words.length === 1 && (first === 'none' || first === 'tools')) return first
  return { matching: [...words] }
}

/** `200000tokens,30m,2usd`: how many tokens, how long, what it may cost. */
export const budgetOf = (text: string): { limits: Budget; seconds: number | undefined } => {
  const limits: { tokens?: number; cost?: number } = {}
  let seconds: number | undefined
  for (const part of text.split(',')) {
    const [, amount, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*(k?tokens?|usd|\$|d|h|min|m|s)\s*$/i.exec(part) ?? []
    if (amount === undefined)
      throw usageFailure(`--budget: "${part.trim()}" is none of tokens, money and time, as in 200000tokens,2usd,30m`)
    const count = Number(amount)
    switch (unit.toLowerCase()) {
      case 'token':
      case 'tokens':
        limits.tokens = Math.round(count)
        break
      case 'ktoken':
      case 'ktokens':
        limits.tokens = Math.round(count * 1000)
        break
      case 'usd':
      case '$':
        limits.cost = count
        break
      default:
        seconds = count * unitSeconds[unit.toLowerCase() as keyof typeof unitSeconds] // the expression lets no other through
    }
  }
  return { limits, seconds }
}

/** `name=program arg …`, or `name=https://…`. */
const serverOf = (text: string): McpServer => {
  const at = text.indexOf('=')
  const name = text.slice(0, at)
  const rest = text.slice(at + 1).trim()
  if (at < 1 || rest === '') throw usageFailure(`--mcp: "${text}" is not like name=program arg, or name=https://host/mcp`)
  if (/^https?:\/\//.test(rest)) return { type: 'http', name, url: rest, headers: {} }
  const [command = '', ...args] = rest.split(/\s+/)
  return { type: 'stdio', name, command, args, env: {} }
}
