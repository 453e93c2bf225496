import type { z } from 'zod'
import { isTooDeep, maxDepth } from './depth.ts'
import type { FieldFault } from './errors.ts'
import { faultsOf } from './faults.ts'
import { type KnownPlugins, typeFault } from './known-plugins.ts'
import { Dependency, Health, Restart, Sandbox, WorkloadFile, WorkloadSpec, workloadFields } from './workload.ts'
import { faultsBetween } from './workload-checks.ts'
import { isRecord, realFormOf, workloadAliases } from './workload-forms.ts'

export type ReadWorkload = { ok: true; workload: WorkloadSpec } | { ok: false; faults: FieldFault[] }

/**
 * Reads a workload from outside: aliases become their field, defaults are filled in, and everything that is wrong is told, not the first
 * only. What plugins provide is accepted where it is `known`.
 */
export const readWorkload = (raw: unknown, known?: KnownPlugins): ReadWorkload => {
  if (!isRecord(raw))
    return {
      ok: false,
      faults: [{ field: '(input)', code: 'invalid_type', message: 'must be a workload: keys and values', accepted: ['object'] }],
    }
  if (isTooDeep(raw))
    return {
      ok: false,
      faults: [{ field: '(input)', code: 'too_deep', message: `has more than ${maxDepth} levels, one in the other` }],
    }
  const { draft, writtenAs, faults } = realFormOf(raw)
  const parsed = WorkloadSpec.safeParse(draft, { reportInput: true })
  if (!parsed.success)
    faults.push(
      ...faultsOf(parsed.error, fieldsKnownTo(parsed.error)).map(
        (fault) => (fault.field === 'type' && typeFault(draft['type'], known)) || clearer(fault, draft),
      ),
    )
  const seen = new Set(faults.map((fault) => fault.field))
  faults.push(...faultsBetween(draft, raw, known).filter((fault) => !seen.has(fault.field)))
  faults.push(...notInJson(draft['params']))
  if (isRecord(draft['health'])) faults.push(...notInJson(draft['health']['params'], 'health.params'))
  if (!parsed.success || faults.length > 0)
    return { ok: false, faults: faults.map((fault) => ({ ...fault, field: writtenAs.get(fault.field) ?? fault.field })) }
  return { ok: true, workload: parsed.data }
}

const below = (field: string, keys: readonly string[]): string[] => keys.map((key) => `${field}.${key}`)

const knownFields = [
  ...Object.keys(workloadFields),
  ...Object.keys(workloadAliases),
  ...below('restart', Restart.keyof().options),
  ...below('restart.crash_loop', ['starts', 'within_seconds']),
  ...below('health', Health.keyof().options),
  ...below('health.log', ['within_seconds', 'contains']),
  ...below('sandbox', Sandbox.keyof().options),
  ...below('log', ['max_file_mb', 'max_files', 'max_line_bytes', 'processors']),
]

/** The fields that there are, those of lists for each place that has a fault. */
const fieldsKnownTo = (error: z.ZodError): string[] => [
  ...knownFields,
  ...error.issues.flatMap(({ path: [list, index] }) => {
    if (list === 'files') return below(`files.${String(index)}`, WorkloadFile.keyof().options)
    return list === 'depends_on' ? below(`depends_on.${String(index)}`, Dependency.keyof().options) : []
  }),
]

/** The words of the schema in words for whoever wrote the YAML: what is missing, and what YAML has made a number. */
const clearer = (fault: FieldFault, draft: Record<string, unknown>): FieldFault => {
  const value = valueAt(draft, fault.field)
  if (value === undefined && ['required', 'invalid_value'].includes(fault.code)) {
    const would = fault.code === 'invalid_value' ? `: ${fault.message.replace(/^must be /, '')}` : ''
    return { ...fault, code: 'required', message: `is required${would}` }
  }
  const isUnquoted = ['number', 'boolean'].includes(typeof value) && /expected string/.test(fault.message)
  if (isUnquoted) return { ...fault, message: `must be text: write it in quotes, as in "${String(value)}"`, accepted: ['string'] }
  return { ...fault, message: inWords(fault.message) }
}

const inWords = (message: string): string =>
  message
    .replace(
      /^expected (\w+), received (\w+)$/,
      (_, wanted: string, given: string) => `must be ${kindOf(wanted)}, not ${kindOf(given)}`,
    )
    .replace(/^expected (\w+(?: or \w+)*)$/, (_, wanted: string) => `must be ${wanted.split(' or ').map(kindOf).join(' or ')}`)
    .replace(
      /^Too (?:small|big): expected \w+ to be ([<>]=?) ?(\S+)$/,
      (_, sign: string, bound: string) => `must be ${bounds[sign] ?? sign} ${bound}`,
    )
    .replace(
      /^Too (?:small|big): expected (\w+) to have ([<>]=?) ?(\d+) (\w+)$/,
      (_, _kind, sign: string, bound: string, unit: string) => `must have ${bounds[sign] ?? sign} ${bound} ${unit}`,
    )
    .replace(/^Invalid URL$/, 'must be an address, as in http://127.0.0.1:8080/health')

const bounds: Readonly<Record<string, string>> = { '>': 'more than', '>=': 'at least', '<': 'less than', '<=': 'at most' }
const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
  null: 'empty',
}
const kindOf = (word: string): string => kinds[word] ?? word

const valueAt = (value: unknown, path: string): unknown =>
  path.split('.').reduce((at: unknown, key) => (Array.isArray(at) ? at[Number(key)] : isRecord(at) ? at[key] : undefined), value)

/** Params travel as JSON, which has no word for `.inf` and `.nan`. */
const notInJson = (params: unknown, field = 'params'): FieldFault[] => {
  if (typeof params === 'number' && !Number.isFinite(params))
    return [{ field, code: 'invalid', message: `must be a value that JSON has, not ${params}` }]
  const nested = typeof params === 'object' && params !== null ? Object.entries(params) : []
  return nested.flatMap(([key, value]) => notInJson(value, `${field}.${key}`))
}
