import type { KnownPlugins } from '../../schemas/known-plugins.ts'
import { readWorkload } from '../../schemas/read-workload.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import { isRecord } from '../../schemas/workload-forms.ts'
import type { FileFault, SourceFile } from './file-faults.ts'
import { faultsOfSet, type Located } from './file-set.ts'
import { readSource, type Source } from './source.ts'
import { hasTemplates, type Variables } from './template.ts'
import { isVarsFile, readOwnVars, readSharedVars, splitVars } from './vars.ts'

export interface ReadContext {
  env: Readonly<Record<string, string | undefined>>
  /** The device that the workloads are for; without one, templates that name it are refused. */
  device: { name?: string; labels: Readonly<Record<string, string>> } | undefined
  /** What plugins provide; undefined where it is not known. */
  plugins?: KnownPlugins | undefined
}

export interface ReadEntry {
  spec: WorkloadSpec
  file: string
  /** Where it begins. */
  line: number
}

export type ReadFiles = { ok: true; workloads: ReadEntry[] } | { ok: false; faults: FileFault[] }

/** Reads workloads from files, those named `vars.yaml` being variables for the ones beside and below them. Tells everything that is wrong. */
export const readWorkloadFiles = (files: readonly SourceFile[], context: ReadContext): ReadFiles => {
  const variables = variablesOf(context)
  const shared = readSharedVars(
    files.filter(({ path }) => isVarsFile(path)),
    variables.env,
  )
  const faults = [...shared.faults]
  const entries: Entry[] = []
  for (const file of files.filter(({ path }) => !isVarsFile(path))) {
    const source = sourceOf(file, { ...variables, vars: shared.of(file.path) })
    const read = source.ok ? workloadsIn(file.path, source, context.plugins) : source
    if (read.ok) entries.push(...read.entries)
    else faults.push(...read.faults)
  }
  faults.push(...faultsOfSet(entries))
  if (faults.length > 0) return { ok: false, faults }
  return { ok: true, workloads: entries.map(({ spec, file, line }) => ({ spec, file, line })) }
}

const variablesOf = ({ env, device }: ReadContext): Omit<Variables, 'vars'> => {
  const set = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return { env: Object.fromEntries(set), ...(device ? { device: { ...device } } : {}) }
}

const sourceOf = (file: SourceFile, variables: Variables): Source => {
  if (!hasTemplates(file.text)) return readSource(file, variables)
  const { block, rest } = splitVars(file.text)
  if (block === undefined) return readSource(file, variables)
  const own = readOwnVars(file.path, block, variables)
  return own.ok ? readSource({ ...file, text: rest }, { ...variables, vars: { ...variables.vars, ...own.vars } }) : own
}

type Entry = ReadEntry & Located
type Workloads = { ok: true; entries: Entry[] } | { ok: false; faults: FileFault[] }

/** One workload, or a list of them under `workloads`. A file that is empty, or commented out, has none. */
const workloadsIn = (file: string, { value, lineOf }: Source & { ok: true }, known: KnownPlugins | undefined): Workloads => {
  const refuse = (field: string, code: string, message: string, accepted?: string[]): Workloads => ({
    ok: false,
    faults: [{ file, line: lineOf(field), field, code, message, ...(accepted ? { accepted } : {}) }],
  })
  if (value === null) return { ok: true, entries: [] }
  if (!isRecord(value))
    return refuse('(input)', 'invalid_type', 'must be a workload, or a list of them under "workloads:"', [
      'name: …',
      'workloads: [ … ]',
    ])
  const { vars: _, workloads: list, ...single } = value
  if (!Object.hasOwn(value, 'workloads')) return readAll(file, [{ raw: single, path: '' }], lineOf, known)
  if (list !== null && !Array.isArray(list))
    return refuse('workloads', 'invalid_type', 'must be a list of workloads', ['- name: …'])
  const [stray] = Object.keys(single)
  if (stray !== undefined)
    return refuse(stray, 'unknown_field', 'stands beside "workloads:", where only "vars:" may; it belongs to one of the list', [
      'vars',
    ])
  const items = (list ?? []).map((raw: unknown, i: number) => ({ raw, path: `workloads.${i}` }))
  return readAll(file, items, lineOf, known)
}

/** So many of one file are told; nobody reads more before the next try. */
const maxFaults = 100

const readAll = (
  file: string,
  items: readonly { raw: unknown; path: string }[],
  lineOf: (field: string) => number,
  known: KnownPlugins | undefined,
): Workloads => {
  const entries: Entry[] = []
  const faults: FileFault[] = []
  for (const { raw, path } of items) {
    if (faults.length >= maxFaults) break
    const pathOf = (field: string): string => (field === '(input)' ? path || field : path === '' ? field : `${path}.${field}`)
    const lineOfField = (field: string): number => lineOf(pathOf(field))
    const read = readWorkload(raw, known)
    if (read.ok) entries.push({ spec: read.workload, file, line: lineOf(path), lineOf: lineOfField, pathOf })
    else
      for (const fault of read.faults.slice(0, maxFaults - faults.length))
        faults.push({ ...fault, file, line: lineOfField(fault.field), field: pathOf(fault.field) })
  }
  if (faults.length === 0) return { ok: true, entries }
  return { ok: false, faults: faults.sort((one, other) => (one.line ?? 0) - (other.line ?? 0)) }
}
