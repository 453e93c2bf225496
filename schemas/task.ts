import { z } from 'zod'
import { AgentResult, agentFields, promptOnly, usualAgent } from './agent.ts'
import { refused, type WireError } from './errors.ts'
import { faultsOf } from './faults.ts'
import { DeviceName, Instant, RunId, Subject, TaskId } from './ids.ts'
import { RunPayload } from './payload.ts'
import { terminalRunStates } from './run-states.ts'
import { parseSelector } from './selector.ts'
import { taskStates } from './task-states.ts'

/** What the work is called. A label only: the payload decides what runs. */
export const taskTypes = ['build', 'deploy', 'test', 'scan', 'cleanup', 'notify', 'agent', 'command'] as const
/** From first served to last; the index is the rank in the queue. */
export const priorities = ['critical', 'high', 'medium', 'low'] as const
export type Priority = (typeof priorities)[number]

/** The largest task that is taken, as UTF-8 JSON: it must fit in one signed command. */
export const maxTaskBytes = 64 * 1024
const maxSeconds = 366 * 24 * 3600

const Seconds = z.number().positive().max(maxSeconds)
const payloadKinds = ['command', 'script', 'prompt', 'recipe', 'workload'] as const
export type PayloadKind = (typeof payloadKinds)[number]

/** Where it runs: one device by name, those that a selector matches, or any. The other fields are for the work itself. */
export const Target = z.strictObject({
  device: DeviceName.optional(),
  selector: z.string().max(1024).optional(),
  fanout: z.enum(['one', 'all']).optional(),
  repository: z.string().max(2000).optional(),
  ref: z.string().max(256).optional(),
  environment: z.string().max(256).optional(),
  path: z.string().max(512).optional(),
})
export type Target = z.infer<typeof Target>

/** How it runs. Durations are seconds, sizes bytes. */
export const Options = z.strictObject({
  timeout_seconds: Seconds.optional(),
  stop_grace_seconds: z.number().min(0).max(3600).optional(),
  retries: z.number().int().min(0).max(100).optional(),
  retry_backoff_seconds: z.number().min(0).max(86_400).optional(),
  start_within_seconds: Seconds.optional(),
  on_lost: z.enum(['keep', 'stop']).optional(),
  lost_after_seconds: z.number().min(0).max(maxSeconds).optional(),
  max_output_bytes: z.number().int().positive().optional(),
  max_line_bytes: z.number().int().min(64).optional(),
  sandbox: z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional(),
})
export type Options = z.infer<typeof Options>

export const optionDefaults = {
  stop_grace_seconds: 10,
  retries: 0,
  retry_backoff_seconds: 15,
  on_lost: 'keep',
  lost_after_seconds: 300,
  max_output_bytes: 256 * 1024 * 1024,
  max_line_bytes: 1024 * 1024,
} as const satisfies Options

const aliases: Record<string, string> = {
  timeout: 'timeout_seconds',
  max_retries: 'retries',
  retry_backoff: 'retry_backoff_seconds',
  start_within: 'start_within_seconds',
  lost_after: 'lost_after_seconds',
  stop_grace: 'stop_grace_seconds',
}

const fields = {
  type: z.enum(taskTypes).default('command'),
  payload: RunPayload,
  priority: z.enum(priorities).default('medium'),
  source: z.string().max(64).default('api'),
  target: Target.default({}),
  options: Options.default({}),
  metadata: z.record(z.string(), z.unknown()).default({}),
  tags: z.array(z.string().min(1).max(128)).max(64).default([]),
  idempotency_key: z.string().min(1).max(256).optional(),
  callback_url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional(),
}

/** A task as its author writes it. Unknown fields are refused. */
export const TaskInput = z.strictObject(fields)
export type TaskInput = z.infer<typeof TaskInput>

/** A task as the controller keeps and shows it: as submitted, then what became of it. */
export const Task = z.looseObject({
  task_id: TaskId,
  state: z.enum(taskStates),
  reason: z.string().nullable(),
  device: z.string().nullable(),
  attempt: z.number().int(),
  exit_code: z.number().int().nullable(),
  requested_by: Subject,
  created_at: Instant,
  started_at: Instant.nullable(),
  ended_at: Instant.nullable(),
  cancel_requested_at: Instant.nullable(),
  ...fields,
})
export type Task = z.infer<typeof Task>

const knownFields = [
  ...Object.keys(fields),
  ...RunPayload.keyof().options.map((key) => `payload.${key}`),
  ...Target.keyof().options.map((key) => `target.${key}`),
  ...[...Options.keyof().options, ...Object.keys(aliases)].map((key) => `options.${key}`),
]

/** Reads a task from outside. Aliases become their field; a task for an agent goes only where that is. */
export const readTask = (raw: unknown): { ok: true; task: TaskInput } | { ok: false; error: WireError } => {
  const size = Buffer.byteLength(JSON.stringify(raw ?? null))
  if (size > maxTaskBytes) return refused('too_large', `a task is at most ${maxTaskBytes} bytes of JSON, this one is ${size}`)
  const aliased = withoutAliases(raw)
  if (!aliased.ok) return aliased
  const kind = payloadKindOf(aliased.value)
  const parsed = TaskInput.safeParse(aliased.value, { reportInput: true })
  const faults = parsed.success ? [] : faultsOf(parsed.error, knownFields)
  faults.push(...faultsBetweenFields(aliased.value, kind))
  const first = faults[0]
  if (first) {
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
    return refused('invalid', `Cannot accept the task: ${first.field}: ${first.message}${more}`, faults)
  }
  const task = parsed.data as TaskInput // without faults it was read by TaskInput
  const label = agentLabelOf(task)
  return { ok: true, task: label === undefined ? task : forAgent(task, label) }
}

/** The label of the devices that can do a task for an agent; undefined for other tasks. */
export const agentLabelOf = ({ payload }: Pick<TaskInput, 'payload'>): string | undefined =>
  payload.prompt !== undefined || payload.recipe !== undefined ? `agent.${payload.agent ?? usualAgent}` : undefined

/** Of several devices only those that have the agent can take it; one that is named says itself that it has none. */
const forAgent = (task: TaskInput, requirement: string): TaskInput => {
  if (task.target.device !== undefined) return task
  const selector = task.target.selector?.trim() ?? ''
  const parts = selector === '' ? [] : [selector]
  if (!selector.split(',').some((part) => part.trim() === requirement)) parts.push(requirement)
  return { ...task, target: { ...task.target, selector: parts.join(',') } }
}

/** Which of these a payload holds, or how many it holds when that is not one. */
const payloadKindOf = (raw: unknown): PayloadKind | 'none' | 'several' => {
  const payload = isRecord(raw) && isRecord(raw['payload']) ? raw['payload'] : {}
  const kinds = payloadKinds.filter((kind) => payload[kind] !== undefined)
  return kinds.length === 1 ? (kinds[0] ?? 'none') : kinds.length === 0 ? 'none' : 'several'
}

const faultsBetweenFields = (raw: unknown, kind: ReturnType<typeof payloadKindOf>) => {
  const faults = []
  if (!isRecord(raw)) return []
  if (isRecord(raw['payload']) && (kind === 'none' || kind === 'several')) {
    faults.push({
      field: 'payload',
      code: kind === 'none' ? 'required' : 'ambiguous',
      message: `must hold exactly one of ${payloadKinds.join(', ')}`,
      accepted: [...payloadKinds],
    })
  }
  if (isRecord(raw['payload'])) faults.push(...faultsOfPayload(raw['payload'], kind, raw['target']))
  const target = raw['target']
  if (isRecord(target)) {
    if (target['device'] !== undefined && target['selector'] !== undefined) {
      faults.push({
        field: 'target',
        code: 'ambiguous',
        message: 'must hold device or selector, not both',
        accepted: ['device', 'selector'],
      })
    }
    if (typeof target['selector'] === 'string') {
      const selector = parseSelector(target['selector'])
      if (!selector.ok) faults.push({ field: 'target.selector', code: 'invalid_selector', message: selector.reason })
    }
  }
  return faults
}

const faultsOfPayload = (payload: Record<string, unknown>, kind: ReturnType<typeof payloadKindOf>, target: unknown) => {
  const faults = []
  if (kind === 'command' && payload['args'] !== undefined)
    faults.push({ field: 'payload.args', code: 'ambiguous', message: 'belongs to a script; a command holds its own arguments' })
  if (kind === 'workload') {
    for (const field of ['args', 'cwd', 'within'])
      if (payload[field] !== undefined)
        faults.push({
          field: `payload.${field}`,
          code: 'ambiguous',
          message: 'is what the workload says; only env goes beside it',
        })
  } else if (payload['within'] !== undefined && kind === 'none') {
    faults.push({
      field: 'payload.within',
      code: 'ambiguous',
      message: 'goes with a command or a script, which it says where to run',
    })
  }
  if (kind === 'prompt' || kind === 'recipe') {
    if (kind === 'recipe')
      for (const field of promptOnly)
        if (payload[field] !== undefined)
          faults.push({
            field: `payload.${field}`,
            code: 'ambiguous',
            message: 'goes with payload.prompt: a recipe says it itself, and nobody is asked',
          })
    if (payload['args'] !== undefined)
      faults.push({
        field: 'payload.args',
        code: 'ambiguous',
        message: 'belongs to a script; an agent is told all in its prompt',
      })
  } else {
    for (const field of Object.keys(agentFields))
      if (payload[field] !== undefined)
        faults.push({ field: `payload.${field}`, code: 'ambiguous', message: 'is for an agent, and goes with payload.prompt' })
  }
  if (kind !== 'recipe' && payload['params'] !== undefined)
    faults.push({ field: 'payload.params', code: 'ambiguous', message: 'fills a recipe, and goes with payload.recipe' })
  const isOfDevice = kind === 'workload' || payload['within'] !== undefined
  const isPlaced = isRecord(target) && (target['device'] !== undefined || target['fanout'] === 'all')
  if (isOfDevice && !isPlaced) {
    const message = 'must be given, or target.fanout: all: a workload belongs to its device'
    faults.push({ field: 'target.device', code: 'required', message })
  }
  return faults
}

/** Gives each alias its real name; an alias and its field with different values contradict each other. */
const withoutAliases = (raw: unknown): { ok: true; value: unknown } | { ok: false; error: WireError } => {
  if (!isRecord(raw) || !isRecord(raw['options'])) return { ok: true, value: raw }
  // Without a prototype, so that a key like `__proto__` is one more unknown field.
  const options: Record<string, unknown> = Object.create(null)
  for (const [key, value] of Object.entries(raw['options'])) {
    const field = Object.hasOwn(aliases, key) ? (aliases[key] ?? key) : key
    if (options[field] !== undefined && options[field] !== value) {
      return refused('invalid', `Cannot accept the task: options.${field} and its alias differ`, [
        { field: `options.${field}`, code: 'ambiguous', message: 'is given twice, with different values' },
      ])
    }
    options[field] = value
  }
  return { ok: true, value: { ...raw, options } }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One run of a task, as it is shown. */
export const Run = z.looseObject({
  run_id: RunId,
  task_id: TaskId,
  attempt: z.number().int(),
  device: DeviceName,
  state: z.string(),
  reason: z.string().nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.string().nullable(),
  dispatched_at: Instant,
  accepted_at: Instant.nullable(),
  started_at: Instant.nullable(),
  ended_at: Instant.nullable(),
  cancel_requested_at: Instant.nullable(),
  /** false while a cancel has been decided but the device has not confirmed that the processes are gone. */
  confirmed: z.boolean().nullable(),
  log: z
    .looseObject({
      last_seq: z.number(),
      lines: z.number(),
      bytes: z.number(),
      dropped_lines: z.number(),
      dropped_bytes: z.number(),
    })
    .nullable(),
  late: z.looseObject({ state: z.enum(terminalRunStates), at: Instant }).nullable(),
  /** What came of it, if it was an agent's. */
  agent: AgentResult.nullable().optional(),
})
export type Run = z.infer<typeof Run>

/** One change in a task's life: when, what, to which state, why. */
export const HistoryEntry = z.looseObject({
  at: Instant,
  run_id: z.string().nullable(),
  state: z.string(),
  reason: z.string().nullable(),
})
export type HistoryEntry = z.infer<typeof HistoryEntry>
