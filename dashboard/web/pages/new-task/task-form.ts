import type { FieldFault } from '../../../../schemas/errors.ts'
import type { Task } from '../../../../schemas/task.ts'
import { shellWord, splitWords } from '../../format/shell-words.ts'

/** What the fields of the form hold, each as it was typed. */
export interface TaskForm {
  kind: 'command' | 'script' | 'agent' | 'kept'
  /** How a command is written: as words with quotes, one argument to a line, or as a line for the shell. */
  commandAs: 'words' | 'lines' | 'shell'
  command: string
  script: string
  args: string
  prompt: string
  system: string
  agent: string
  provider: string
  model: string
  approve: 'none' | 'tools' | 'matching'
  patterns: string
  tokens: string
  cost: string
  turns: string
  secrets: string
  servers: string
  keep: boolean
  session: string
  where: 'any' | 'device' | 'selector'
  device: string
  selector: string
  fanout: 'one' | 'all'
  timeout: string
  retries: string
  startWithin: string
  priority: Task['priority']
  name: string
  tags: string
  cwd: string
  env: string
}

export const emptyForm: TaskForm = {
  ...{ kind: 'command', commandAs: 'words', command: '', script: '#!/bin/sh\n', args: '' },
  ...{
    prompt: '',
    system: '',
    agent: '',
    provider: '',
    model: '',
    approve: 'none',
    patterns: '',
    tokens: '',
    cost: '',
    turns: '',
  },
  ...{ secrets: '', servers: '', keep: false, session: '' },
  ...{ where: 'any', device: '', selector: '', fanout: 'one' },
  ...{ timeout: '', retries: '', startWithin: '', priority: 'medium', name: '', tags: '', cwd: '', env: '' },
}

/** Whether the form says how the task is to run, or what it is called. */
export const hasOptions = (form: TaskForm): boolean =>
  (['timeout', 'retries', 'startWithin', 'priority', 'name', 'tags', 'cwd', 'env'] as const).some(
    (name) => form[name] !== emptyForm[name],
  )

type Fields = Readonly<Record<string, unknown>>
type Fault = (field: string, message: string) => void
/** The value of a task whose fields nobody has touched, since a text may say less than the value; otherwise what is read of them. */
type AsItWas = <T>(names: readonly (keyof TaskForm)[], value: T | undefined, read: () => T) => T
/** A task on its way to be checked or submitted. */
export interface Draft {
  type: string
  payload: Fields
  target: Fields
  options: Fields
  priority: string
  tags: readonly string[]
  metadata: Fields
}

/** What the form says, over what it says nothing of: `base` is the task that is edited. Faults are of what cannot even be read. */
export const draftOf = (form: TaskForm, base?: Task): { draft: Draft; faults: readonly FieldFault[] } => {
  const faults: FieldFault[] = []
  const fault: Fault = (field, message) => void faults.push({ field, code: 'unreadable', message })
  const number = (field: string, text: string): number | undefined => numberOf(text, field, fault)
  const before = base && formOf(base)
  const asItWas: AsItWas = (names, value, read) =>
    value !== undefined && before && names.every((name) => form[name] === before[name]) ? value : read()
  const kept = base && form.kind === kindOf(base) ? base.payload : {}
  const payload = given(kept, {
    ...payloadOf(form, base?.payload ?? {}, asItWas, fault),
    ...(form.kind === 'kept' && base?.payload.workload !== undefined
      ? {}
      : { cwd: asItWas(['cwd'], base?.payload.cwd, () => form.cwd.trim() || undefined) }),
    env: asItWas(['env'], base?.payload.env, () => envOf(form.env, fault)),
  })
  const { repository, ref, environment, path } = base?.target ?? {}
  return {
    draft: {
      type: form.kind === 'agent' ? 'agent' : base && base.type !== 'agent' ? base.type : 'command',
      payload,
      target: given(
        { repository, ref, environment, path },
        {
          device: form.where === 'device' ? form.device.trim() : undefined,
          selector: form.where === 'selector' ? form.selector.trim() : undefined,
          fanout: form.where !== 'device' && form.fanout === 'all' ? 'all' : undefined,
        },
      ),
      options: given(base?.options ?? {}, {
        timeout_seconds: number('options.timeout_seconds', form.timeout),
        retries: number('options.retries', form.retries),
        start_within_seconds: number('options.start_within_seconds', form.startWithin),
      }),
      priority: form.priority,
      tags: asItWas(['tags'], base?.tags, () => tagsOf(form.tags)),
      metadata: given(base?.metadata ?? {}, {
        name: asItWas(['name'], base?.metadata['title'] ?? base?.metadata['name'], () => form.name.trim() || undefined),
        title: undefined,
      }),
    },
    faults,
  }
}

/** What a task cannot do without. */
export const missingIn = ({ payload: { command, script, prompt } }: Draft): readonly FieldFault[] => {
  const missing = (field: string, message: string): FieldFault[] => [{ field: `payload.${field}`, code: 'required', message }]
  if (command === '' || (Array.isArray(command) && command.length === 0)) return missing('command', 'Say what it is to run')
  if (script === '') return missing('script', 'Say what it is to run')
  return prompt === '' ? missing('prompt', 'Say what it is to do') : []
}

const payloadOf = (form: TaskForm, was: Partial<Task['payload']>, asItWas: AsItWas, fault: Fault): Fields => {
  switch (form.kind) {
    case 'command':
      return { command: asItWas<unknown>(['commandAs', 'command'], was.command, () => commandOf(form, fault)) }
    case 'script':
      return {
        script: asItWas(['script'], was.script, () => form.script.replaceAll('\r\n', '\n')),
        args: asItWas<Task['payload']['args']>(['args'], was.args, () => linesOf(form.args)),
      }
    case 'agent':
      return {
        prompt: asItWas(['prompt'], was.prompt, () => form.prompt.trim()),
        system: asItWas(['system'], was.system, () => form.system.trim() || undefined),
        agent: form.agent.trim() || undefined,
        provider: form.provider.trim() || undefined,
        model: form.model.trim() || undefined,
        approve: asItWas<unknown>(['approve', 'patterns'], was.approve, () => approveOf(form)),
        budget: orNothing({
          tokens: numberOf(form.tokens, 'payload.budget.tokens', fault),
          cost: numberOf(form.cost, 'payload.budget.cost', fault),
        }),
        max_turns: numberOf(form.turns, 'payload.max_turns', fault),
        secrets: orNothing(wordsOf(form.secrets)),
        mcp_servers: serversOf(form.servers, fault),
        keep_session: form.keep || undefined,
        session: form.session.trim() || undefined,
      }
    case 'kept':
      return {}
  }
}

const commandOf = ({ commandAs, command }: TaskForm, fault: Fault): unknown => {
  if (commandAs === 'shell') return command.trim()
  if (commandAs === 'lines') return linesOf(command) ?? []
  const split = splitWords(command)
  if (split.ok) return split.words
  fault('payload.command', split.reason)
  return [command]
}

const approveOf = ({ approve, patterns }: TaskForm): unknown => {
  if (approve === 'matching') return { matching: linesOf(patterns) ?? [] }
  return approve === 'tools' ? 'tools' : undefined
}

const serversOf = (text: string, fault: Fault): unknown => {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    fault('payload.mcp_servers', `This is not JSON: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}

const envOf = (text: string, fault: Fault): unknown => {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const wrong = lines.find((line) => !/^[^=]+=/.test(line))
  if (wrong !== undefined) fault('payload.env', `"${wrong.slice(0, 60)}" is not NAME=value`)
  if (lines.length === 0 || wrong !== undefined) return undefined
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1)]))
}

/** What was there with what is said anew; what is said to be nothing is taken out. */
const given = (before: object, fields: Fields): Fields =>
  Object.fromEntries(Object.entries({ ...before, ...fields }).filter(([, value]) => value !== undefined))

const numberOf = (text: string, field: string, fault: Fault): number | undefined => {
  const number = Number(text)
  if (text.trim() === '') return undefined
  if (Number.isFinite(number)) return number
  fault(field, 'This is not a number')
  return undefined
}
const linesOf = (text: string): string[] | undefined => orNothing(text.split('\n').filter((line) => line !== ''))
const wordsOf = (text: string): readonly string[] => text.split(/[\s,]+/).filter((word) => word !== '')
const tagsOf = (text: string): string[] =>
  text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
const orNothing = <T extends object>(value: T): T | undefined =>
  Object.values(value).every((one) => one === undefined) ? undefined : value

const kindOf = ({ payload }: Pick<Task, 'payload'>): TaskForm['kind'] =>
  payload.command !== undefined
    ? 'command'
    : payload.script !== undefined
      ? 'script'
      : payload.prompt !== undefined
        ? 'agent'
        : 'kept'

/** The form with what a task says. */
export const formOf = (task: Task): TaskForm => {
  const { payload, target, options, metadata } = task
  const { command, approve } = payload
  const number = (value: number | undefined): string => (value === undefined ? '' : String(value))
  const words = Array.isArray(command) ? command : []
  const name = metadata['title'] ?? metadata['name']
  return {
    kind: kindOf(task),
    // What has lines within an argument cannot be written one to a line.
    commandAs: typeof command === 'string' ? 'shell' : 'words',
    command: typeof command === 'string' ? command : words.map(shellWord).join(' '),
    script: payload.script ?? emptyForm.script,
    args: (payload.args ?? []).join('\n'),
    prompt: payload.prompt ?? '',
    system: payload.system ?? '',
    agent: payload.agent ?? '',
    provider: payload.provider ?? '',
    model: payload.model ?? '',
    approve: typeof approve === 'object' ? 'matching' : (approve ?? 'none'),
    patterns: typeof approve === 'object' ? approve.matching.join('\n') : '',
    tokens: number(payload.budget?.tokens),
    cost: number(payload.budget?.cost),
    turns: number(payload.max_turns),
    secrets: (payload.secrets ?? []).join(' '),
    servers: payload.mcp_servers === undefined ? '' : JSON.stringify(payload.mcp_servers, null, 2),
    keep: payload.keep_session ?? false,
    session: payload.session ?? '',
    where: target.device !== undefined ? 'device' : target.selector ? 'selector' : 'any',
    device: target.device ?? '',
    selector: target.selector ?? '',
    fanout: target.fanout ?? 'one',
    timeout: number(options.timeout_seconds),
    retries: number(options.retries),
    startWithin: number(options.start_within_seconds),
    priority: task.priority,
    name: typeof name === 'string' ? name : '',
    tags: task.tags.join(', '),
    cwd: payload.cwd ?? '',
    env: Object.entries(payload.env ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join('\n'),
  }
}
