import { nearest } from '../../schemas/faults.ts'
import { idPattern } from '../../schemas/ids.ts'
import { isPluginType } from '../../schemas/known-plugins.ts'
import { isRecord } from '../../schemas/workload-forms.ts'

/** What is called of a type of workloads. What people write answers as it likes: whoever calls reads the answer. */
export interface TypePlugin {
  validate?: (params: unknown) => unknown
  command: (params: unknown, context: TypeContext) => unknown
}
export interface TypeContext {
  name: string
  device: string
  labels: Record<string, string>
  /** Of the workload's own, which stays. */
  folder: string
}

/** What a check is told of the run that it is about. */
export interface CheckedRun {
  name: string
  pid: number | null
  run_id: string
  started_at: string | null
  params: Record<string, unknown>
}
export type HealthPlugin = (run: CheckedRun) => unknown
export type LogPlugin = (workload: string, line: string, stream: 'o' | 'e') => unknown

/** What one module provides, by name. */
export interface Provided {
  types: Map<string, TypePlugin>
  healthChecks: Map<string, HealthPlugin>
  logProcessors: Map<string, LogPlugin>
}
export type ReadModule = { ok: true; provided: Provided } | { ok: false; error: string }

const kinds = ['workloadTypes', 'healthChecks', 'logProcessors'] as const

/** Finds in the exports of a module what it provides; or says what is wrong with their shape. */
export const readModule = (exported: unknown): ReadModule => {
  const all = { ...(isRecord(exported) ? exported : {}) }
  // A module of CommonJS has everything in its default export, and Node does not always find the names in it.
  const inner = isRecord(all['default']) ? all['default'] : {}
  const given = (kind: string): unknown => all[kind] ?? inner[kind]
  const errors: string[] = []
  const types = new Map<string, TypePlugin>()
  for (const [name, one] of entriesOf('workloadTypes', given('workloadTypes'), errors)) {
    const { command, validate } = isRecord(one) ? one : ({} as Record<string, unknown>) // it has no keys
    const at = `workloadTypes["${name}"]`
    if (!isPluginType(name)) errors.push(`${at} has the name of a type that there is already`)
    else if (!isCallable(command)) errors.push(`${at} must have a function "command"`)
    else if (validate !== undefined && !isCallable(validate)) errors.push(`"validate" of ${at} must be a function`)
    // Bound, so that a plugin may use `this`.
    else types.set(name, { command: command.bind(one), ...(isCallable(validate) ? { validate: validate.bind(one) } : {}) })
  }
  const healthChecks = functionsOf('healthChecks', given('healthChecks'), errors)
  const logProcessors = functionsOf('logProcessors', given('logProcessors'), errors)
  if (kinds.every((kind) => given(kind) === undefined)) errors.push(nothingIn([...Object.keys(all), ...Object.keys(inner)]))
  return errors.length > 0
    ? { ok: false, error: errors.join('; ') }
    : { ok: true, provided: { types, healthChecks, logProcessors } }
}

type Callable = (...given: unknown[]) => unknown
const isCallable = (value: unknown): value is Callable => typeof value === 'function'

const functionsOf = (kind: string, value: unknown, errors: string[]): Map<string, Callable> => {
  const found = new Map<string, Callable>()
  for (const [name, one] of entriesOf(kind, value, errors))
    if (isCallable(one)) found.set(name, one.bind(value))
    else errors.push(`${kind}["${name}"] must be a function`)
  return found
}

const entriesOf = (kind: string, value: unknown, errors: string[]): [string, unknown][] => {
  if (value === undefined) return []
  if (!isRecord(value)) {
    errors.push(`${kind} must be an object with what it provides by name`)
    return []
  }
  return Object.entries(value).filter(([name]) => {
    if (idPattern.test(name)) return true
    errors.push(`${kind}["${name}"] must have a name of 1 to 63 of a-z, 0-9 and -`)
    return false
  })
}

const nothingIn = (names: readonly string[]): string => {
  const near = names.find((name) => nearest(name, kinds))
  const hint = near === undefined ? '' : `; it exports "${near}", did you mean "${nearest(near, kinds)}"?`
  return `exports none of ${kinds.join(', ')}${hint}`
}
