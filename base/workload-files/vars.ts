import { basename, dirname, relative } from 'node:path'
import { isRecord } from '../../schemas/workload-forms.ts'
import { type FileFault, type SourceFile, wholeFile } from './file-faults.ts'
import { readSource } from './source.ts'
import type { Variables } from './template.ts'

export type Vars = Readonly<Record<string, unknown>>
export type ReadVars = { ok: true; vars: Vars } | { ok: false; faults: FileFault[] }

/** Whether a file holds variables for those beside and below it. */
export const isVarsFile = (path: string): boolean => /^vars\.ya?ml$/.test(basename(path))

/** Reads the variables that files share. `of` gives those for one of them: what stands nearer beats what stands above. */
export const readSharedVars = (files: readonly SourceFile[], env: Variables['env']) => {
  const faults: FileFault[] = []
  const found: { folder: string; vars: Vars }[] = []
  for (const file of files) {
    const folder = dirname(file.path)
    if (found.some((one) => one.folder === folder)) {
      faults.push({
        file: file.path,
        line: null,
        field: wholeFile,
        code: 'ambiguous',
        message: 'stands beside another one: vars.yaml or vars.yml, not both',
      })
      continue
    }
    const read = readSource(file, { vars: {}, env })
    if (!read.ok) faults.push(...read.faults)
    else if (read.value === null || isRecord(read.value)) found.push({ folder, vars: read.value ?? {} })
    else
      faults.push({
        file: file.path,
        line: 1,
        field: wholeFile,
        code: 'invalid_type',
        message: 'must hold variables: keys and values',
        accepted: ['object'],
      })
  }
  const byNearness = found.sort((a, b) => a.folder.length - b.folder.length)
  const of = (path: string): Vars =>
    Object.assign({}, ...byNearness.filter(({ folder }) => isBelow(path, folder)).map(({ vars }) => vars))
  return { faults, of }
}

const isBelow = (path: string, folder: string): boolean => !/^\.\.(\/|$)/.test(relative(folder, path))

/** The `vars:` of a file apart from the rest of it, which keeps its lines. */
export const splitVars = (text: string): { block: string | undefined; rest: string } => {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => /^(["']?)vars\1[ \t]*:/.test(line))
  if (start === -1) return { block: undefined, rest: text }
  // Up to the next key: what is indented, blank, a comment or a bracket that closes still belongs to it.
  const length = lines.slice(start + 1).findIndex((line) => /^[^\s#}\]]/.test(line))
  const end = length === -1 ? lines.length : start + 1 + length
  const only = (isKept: (i: number) => boolean): string => lines.map((line, i) => (isKept(i) ? line : '')).join('\n')
  return { block: only((i) => i >= start && i < end), rest: only((i) => i < start || i >= end) }
}

/** Reads the `vars:` of a file, whose own templates may name everything but them. */
export const readOwnVars = (path: string, block: string, variables: Variables): ReadVars => {
  const read = readSource({ path, text: block }, variables)
  if (!read.ok) return read
  const vars = isRecord(read.value) ? read.value['vars'] : undefined
  if (vars === null || isRecord(vars)) return { ok: true, vars: vars ?? {} }
  return {
    ok: false,
    faults: [
      {
        file: path,
        line: read.lineOf('vars'),
        field: 'vars',
        code: 'invalid_type',
        message: 'must be keys and values',
        accepted: ['object'],
      },
    ],
  }
}
