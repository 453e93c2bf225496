import { isUtf8 } from 'node:buffer'
import { type Dirent, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type FileFault, maxFileBytes, type SourceFile, tooLarge, wholeFile } from './file-faults.ts'

export type ListedFiles = { ok: true; files: SourceFile[] } | { ok: false; faults: FileFault[] }

/** So much is read of one folder with all below it. */
const maxFiles = 1000
const maxTotalBytes = 8 * 1024 * 1024

/** Reads a file, or all *.yaml and *.yml of a folder and those below it in the order of their names, and with them the variables that they share. */
export const listWorkloadFiles = (path: string): ListedFiles => {
  const files: SourceFile[] = []
  const faults: FileFault[] = []
  const budget = { bytes: maxTotalBytes }
  try {
    for (const one of pathsOf(path)) {
      const read = readFile(one, budget)
      if (typeof read === 'string') files.push({ path: one, text: read })
      else faults.push(read)
    }
  } catch (error) {
    faults.push(unreadable(path, error))
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, files }
}

const pathsOf = (path: string): string[] => {
  if (statSync(path).isDirectory()) return pathsIn(path, new Set())
  const beside = ['vars.yaml', 'vars.yml'].map((name) => join(dirname(path), name))
  return [...new Set([...beside.filter((one) => statSync(one, { throwIfNoEntry: false })), path])]
}

const isSkipped = (name: string): boolean =>
  name.startsWith('.') || name === 'node_modules' || /^(daemon|inventory)\.ya?ml$/.test(name)

/** `above` are the real folders that led here: a link into one of them would go round for ever. */
const pathsIn = (folder: string, above: ReadonlySet<string>): string[] => {
  const real = realpathSync(folder)
  if (above.has(real)) return []
  const within = new Set([...above, real])
  const found: string[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isSkipped(entry.name)) continue
    const path = join(folder, entry.name)
    if (isFolder(entry, path)) found.push(...pathsIn(path, within))
    else if (/\.ya?ml$/.test(entry.name)) found.push(path)
    if (found.length > maxFiles) throw new Error(`it has more than ${maxFiles} files`)
  }
  return found
}

const isFolder = (entry: Dirent, path: string): boolean =>
  entry.isDirectory() || (entry.isSymbolicLink() && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)

const readFile = (path: string, budget: { bytes: number }): string | FileFault => {
  const refuse = (code: string, message: string): FileFault => ({ file: path, line: null, field: wholeFile, code, message })
  try {
    const stat = statSync(path)
    // A pipe would be waited for.
    if (!stat.isFile()) return refuse('unreadable', 'is no regular file')
    if (stat.size > maxFileBytes) return { ...refuse('', ''), ...tooLarge(stat.size) }
    budget.bytes -= stat.size
    if (budget.bytes < 0) return refuse('too_large', `is one too many: all files together have more than ${maxTotalBytes} bytes`)
    const bytes = readFileSync(path)
    return isUtf8(bytes) ? bytes.toString('utf8') : refuse('not_utf8', 'is not UTF-8')
  } catch (error) {
    return unreadable(path, error)
  }
}

const unreadable = (file: string, error: unknown): FileFault => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const reason =
    code === 'ENOENT'
      ? 'no such file or folder'
      : code === 'EACCES'
        ? 'permission denied'
        : error instanceof Error
          ? error.message
          : String(error)
  return { file, line: null, field: wholeFile, code: 'unreadable', message: `cannot be read: ${reason}` }
}
