import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ProcessPayload } from '../../schemas/process.ts'
import { findProgram } from './find-program.ts'

/** What a shell would find before it starts a program: the words and the folder, or the code and the reason why it cannot. */
export type CommandLine = Found | { ok: false; code: 125 | 126 | 127; reason: string }

interface Found {
  ok: true
  argv: readonly string[]
  cwd: string
  /** The file that is to be executed. */
  path: string
  /** The kernel can do that; of a text without #! a shell has to make something. */
  isDirect: boolean
}

type Env = Readonly<Record<string, string>>

/** What the kernel takes as one argument or variable, without the NUL behind it. */
const longestWord = 128 * 1024 - 1

/** Resolves a payload. `work` is the folder of relative paths, `script` the file that a script has been written to. */
export const commandLineOf = (payload: ProcessPayload, env: Env, work: string, script: string): CommandLine => {
  const cwd = payload.cwd === undefined ? work : resolve(work, payload.cwd)
  if (!statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    return { ok: false, code: 126, reason: `no_such_folder: ${JSON.stringify(payload.cwd ?? work)}` }
  }
  const argv = argvOf(payload, script)
  if ([...argv, ...Object.entries(env).map((pair) => pair.join('='))].some((word) => Buffer.byteLength(word) > longestWord)) {
    return { ok: false, code: 125, reason: `cannot_start: an argument or variable is longer than ${longestWord} bytes` }
  }
  const program = payload.script === undefined ? (argv[0] ?? '') : interpreterOf(script)
  const found = findProgram(program, env['PATH'] ?? '', cwd)
  if (found === 'missing') return { ok: false, code: 127, reason: `command_not_found: ${JSON.stringify(program)}` }
  if (found === 'forbidden') return { ok: false, code: 126, reason: `not_executable: ${JSON.stringify(program)}` }
  // A script is named by its own path, though what was looked for is what its first line names.
  const path = payload.script === undefined ? found.path : script
  return { ok: true, argv, cwd, path, isDirect: payload.script !== undefined || isDirect(resolve(cwd, path)) }
}

/** The text that turns the shim's subshell into the program, as the leader of a session and group of its own. */
export const programText = (env: Env, cwd: string, line: readonly string[]): string => {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  const plain = variables.filter((text) => !isOfShell(text))
  // What some shells do not let one assign is passed on by env.
  const others = variables.filter(isOfShell)
  const words = line.map(quote)
  return `export ${plain.join(' ')}
cd -- ${quote(cwd)} || exit 126
unset OLDPWD
exec ${others.length > 0 ? `/usr/bin/env ${others.join(' ')} ` : ''}${words.join(' ')}`
}

const isOfShell = (assignment: string): boolean =>
  /^(_|UID|EUID|PPID|GROUPS|OPTIND|SHELLOPTS|BASHOPTS|BASH_VERSINFO)=/.test(assignment)

const inherited = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR'] as const

/** The environment of a run: little of the daemon's own, and no secret of it. */
export const environmentOf = (daemon: Readonly<Record<string, string | undefined>>, order: Env, payload: ProcessPayload): Env => {
  const env: Record<string, string> = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  for (const name of inherited) {
    const value = daemon[name]
    if (value !== undefined) env[name] = value
  }
  return { ...env, ...order, ...payload.env }
}

const argvOf = (payload: ProcessPayload, script: string): readonly string[] => {
  if (payload.script !== undefined) return [script, ...(payload.args ?? [])]
  return typeof payload.command === 'string' ? ['/bin/sh', '-c', payload.command] : (payload.command ?? [])
}

const interpreterOf = (script: string): string => {
  const fd = openSync(script, 'r')
  try {
    const bytes = Buffer.alloc(256)
    const line = bytes.toString('utf8', 0, readSync(fd, bytes)).split('\n', 1)[0] ?? ''
    return /^#![ \t]*([^ \t]*)/.exec(line)?.[1] ?? ''
  } finally {
    closeSync(fd)
  }
}

const isDirect = (path: string): boolean => {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    // Executable but not readable: whatever it is, setsid(1) takes it.
    return false
  }
  try {
    const bytes = Buffer.alloc(4)
    readSync(fd, bytes)
    return bytes.toString('latin1', 0, 2) === '#!' || bytes.toString('latin1') === '\x7fELF'
  } finally {
    closeSync(fd)
  }
}

/** A word as a shell reads it. */
export const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
