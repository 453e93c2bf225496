import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { exitCodes, usageFailure } from './exit.ts'
import { type Io, printJson } from './io.ts'
import { askLocal, deviceOf, type LocalFlags } from './local-door.ts'

/** All that is needed to run something as a workload runs. */
interface Surroundings {
  workload: string
  env: Record<string, string>
  cwd: string
  user: string | null
  identity: { uid: number; gid: number } | null
  command: string | string[] | null
  script: string | null
  args: string[]
  shell: string[] | null
  /** Limits and a sandbox that hold for the workload, and not in a terminal. */
  confined: string[]
}

const surroundingsOf = async (io: Io, flags: LocalFlags, workload: string): Promise<Surroundings> =>
  (await askLocal(deviceOf(flags, io.env), { command: 'env', workload }, (flags.timeout ?? 10) * 1000)) as Surroundings // our own daemon's answer

/** `local env`: the variables of a workload, as a shell reads them. */
export const localEnv = async (io: Io, flags: LocalFlags, workload: string): Promise<number> => {
  const { env } = await surroundingsOf(io, flags, workload)
  if (flags.json) printJson(io, env)
  else for (const [name, value] of Object.entries(env)) io.out(`${name}='${value.replaceAll("'", "'\\''")}'\n`)
  return exitCodes.done
}

/** `local exec`: a command in the environment, folder and as the user of a workload, in this terminal; its exit code is ours. */
export const localExec = async (
  io: Io,
  flags: LocalFlags & { workTimeout?: number },
  workload: string,
  given: readonly string[],
): Promise<number> => {
  // The options end at the workload's name, so the dashes behind it are still there.
  const words = given[0] === '--' ? given.slice(1) : given
  if (words.length === 0) throw usageFailure('What is to be run? skein local exec <workload> -- <command…>')
  const about = await surroundingsOf(io, flags, workload)
  return inTerminal(about, words.length === 1 ? ['/bin/sh', '-c', ...words] : words, flags.workTimeout ?? 30)
}

/** `local shell`: an interactive shell there; for a module a prompt in which it is imported. */
export const localShell = async (io: Io, flags: LocalFlags, workload: string): Promise<number> => {
  const about = await surroundingsOf(io, flags, workload)
  return inTerminal(about, about.shell ?? [io.env['SHELL'] ?? '/bin/sh'], 0)
}

/** `local run`: what the workload runs, once, in this terminal and without the daemon. */
export const localRun = async (io: Io, flags: LocalFlags & { workTimeout?: number }, workload: string): Promise<number> => {
  const about = await surroundingsOf(io, flags, workload)
  if (about.script === null) {
    const words = typeof about.command === 'string' ? ['/bin/sh', '-c', about.command] : (about.command ?? [])
    return inTerminal(about, words, flags.workTimeout ?? 0)
  }
  const folder = mkdtempSync(join(tmpdir(), 'skein-run-'))
  try {
    const file = join(folder, 'script')
    writeFileSync(file, about.script, { mode: 0o755 })
    return await inTerminal(about, [file, ...about.args], flags.workTimeout ?? 0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs with our own terminal, and passes on how it ends. */
const inTerminal = (about: Surroundings, words: readonly string[], timeoutSeconds: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const { env, cwd, identity, confined } = about
    if (confined.length > 0) process.stderr.write(`skein: here ${confined.join(', ')} of ${about.workload} do not hold\n`)
    const [program = '', ...args] = words
    // Only root can be somebody else.
    const as = identity !== null && process.getuid?.() === 0 ? identity : {}
    const child = spawn(program, args, { env, cwd, ...as, stdio: 'inherit' })
    // What is typed to end it is for it, not for us.
    const ignore = (): void => {}
    process.on('SIGINT', ignore)
    let isLate = false
    const timer =
      timeoutSeconds > 0
        ? setTimeout(() => {
            isLate = true
            child.kill('SIGTERM')
            setTimeout(() => child.kill('SIGKILL'), 5000).unref()
          }, timeoutSeconds * 1000)
        : undefined
    const done = (): void => {
      clearTimeout(timer)
      process.off('SIGINT', ignore)
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      done()
      if (error.code === 'ENOENT') process.stderr.write(`skein: ${program}: no such program, or no such folder as ${cwd}\n`)
      if (error.code === 'ENOENT') return resolve(127)
      if (error.code === 'EACCES') return resolve(126)
      reject(error)
    })
    child.once('exit', (code, signal) => {
      done()
      if (isLate) process.stderr.write(`skein: it took longer than ${timeoutSeconds} s\n`)
      resolve(isLate ? exitCodes.timedOut : (code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
  })
