import { z } from 'zod'
import { idPattern, RunId } from './ids.ts'
import { Env, noNul, VariableName } from './process.ts'

/** The agents that a device knows by their profiles; `goose` is there without one. */
export const AgentName = z.string().regex(idPattern, "an agent's name is 1 to 63 of a-z, 0-9 and -, and does not start with -")
export const usualAgent = 'goose'

const maxSeconds = 366 * 24 * 3600
const Seconds = z.number().positive().max(maxSeconds)
const Text = (most: number) => noNul(z.string().min(1).max(most))

/** A server of tools for the agent: a program that it talks to, or an address. */
export const McpServer = z.union([
  z.strictObject({
    name: AgentName,
    type: z.literal('stdio').default('stdio'),
    command: Text(4096),
    args: z.array(noNul(z.string())).max(256).default([]),
    env: Env.default({}),
  }),
  z.strictObject({
    name: AgentName,
    type: z.literal('http').default('http'),
    url: z.url({ protocol: /^https?$/ }).max(2000),
    headers: z.record(z.string().min(1).max(256), Text(4096)).default({}),
  }),
])
export type McpServer = z.infer<typeof McpServer>

/** Which calls of tools wait for somebody: none, all, or those whose name or title matches a pattern with `*`. */
export const Approve = z.union([
  z.enum(['none', 'tools']),
  z.strictObject({ matching: z.array(z.string().min(1).max(256)).min(1).max(64) }),
])
export type Approve = z.infer<typeof Approve>

/** What a run may use before it is ended. */
export const Budget = z.strictObject({
  /** Of all calls of the model together, what it reads and what it writes. */
  tokens: z.number().int().positive().optional(),
  /** In the currency in which the agent counts, which is US dollars for those that we know. */
  cost: z.number().positive().optional(),
})
export type Budget = z.infer<typeof Budget>

/** What is said of an agent beside its prompt. */
export const agentFields = {
  agent: AgentName.optional(),
  /** Goes before the prompt, as what the agent is to keep in mind all the time. */
  system: Text(16 * 1024).optional(),
  provider: Text(128).optional(),
  model: Text(256).optional(),
  /** Calls of the model. */
  max_turns: z.number().int().min(1).max(100_000).optional(),
  mcp_servers: z.array(McpServer).max(32).optional(),
  approve: Approve.optional(),
  /** So long somebody has to answer; then it is no. */
  approval_seconds: Seconds.optional(),
  budget: Budget.optional(),
  /** Without a sign of life for so long it is ended. To wait for an approval is none of it. */
  silence_seconds: Seconds.optional(),
  /** So many times in a row the same tool may be called with the same arguments. */
  max_repeats: z.number().int().min(2).max(10_000).optional(),
  /** Names of what the device holds: each becomes a variable of that name. */
  secrets: z.array(VariableName).max(64).optional(),
  /** The conversation stays on the device for a week, so that a later run can go on with it. */
  keep_session: z.boolean().optional(),
  /** Goes on with the conversation of an earlier run on the same device, by the id of that run. */
  session: RunId.optional(),
} as const
export type AgentField = keyof typeof agentFields

/** What a recipe is filled with. */
export const RecipeParams = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, 'the name of a parameter is letters, digits, _ and -'),
  z.union([noNul(z.string().max(16 * 1024)), z.number(), z.boolean()]),
)
/** What goes with a prompt only: a recipe is told everything at its start, and nobody is asked. */
export const promptOnly = ['system', 'mcp_servers', 'approve', 'approval_seconds', 'keep_session', 'session'] as const

export const AgentSettings = z.strictObject(agentFields)
export type AgentSettings = z.infer<typeof AgentSettings>

export const agentDefaults = {
  agent: usualAgent,
  approve: 'none',
  approval_seconds: 3600,
  silence_seconds: 600,
  max_turns: 100,
  max_repeats: 10,
} as const satisfies AgentSettings

/** Why an agent's run has ended. Only the first is a success. */
export const agentStops = [
  'completed',
  'max_turns',
  'budget_tokens',
  'budget_cost',
  'repeats',
  'silence',
  'timed_out',
  'refused',
  'model_error',
  'no_answer',
  'agent_exited',
  'agent_failed',
  'daemon_lost',
  'stopped',
] as const
export type AgentStop = (typeof agentStops)[number]

export const Artifact = z.looseObject({ path: z.string(), size: z.number().int(), sha256: z.string() })
export type Artifact = z.infer<typeof Artifact>

/** What came of an agent's run, as far as it got. */
export const AgentResult = z.looseObject({
  agent: z.string(),
  stop_reason: z.enum(agentStops),
  /** Its last message. */
  text: z.string(),
  turns: z.number().int(),
  tokens: z.number().int(),
  cost: z.number().nullable(),
  currency: z.string().nullable(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  /** By what a later run can go on with the conversation, if it was kept. */
  session: z.string().nullable(),
  artifacts: z.array(Artifact),
})
export type AgentResult = z.infer<typeof AgentResult>
