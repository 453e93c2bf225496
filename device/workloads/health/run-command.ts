import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import type { Clock, Timer } from '../../../base/clock.ts'
import { membersOf, signalMembers, statOf } from '../../runners/process-table.ts'

export interface CommandOptions {
  env: Record<string, string>
  cwd: string
  uid?: number | undefined
  gid?: number | undefined
  clock: Clock
  /** Ends it, and everything it has started; the reason of the abort is not looked at. */
  signal: AbortSignal
}

export interface CommandEnd {
  /** Null if it was ended by a signal, or could not be started. */
  exitCode: number | null
  exitSignal: NodeJS.Signals | null
  /** Why it could not be started. */
  failure: string | null
  /** The last 500 bytes of what it has written, to either stream. */
  output: string
}

const keptBytes = 500

/** So long what it wrote last may take to come, and a killed process to go. */
const lastOutputMs = 200
const lastSignMs = 5000

/**
 * Runs a command, words or a line for `sh -c`, in a session of its own, until it ends or is aborted. What it leaves behind in
 * its session or process group is killed; it never throws.
 */
export const runCommand = (command: string | readonly string[], options: CommandOptions): Promise<CommandEnd> =>
  new Promise((resolve) => {
    const { env, cwd, uid, gid, clock, signal } = options
    const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
    const tail = createTail()
    const ended = (end: Partial<CommandEnd>): void =>
      resolve({ exitCode: null, exitSignal: null, failure: null, output: tail.text(), ...end })
    if (signal.aborted) return ended({ failure: 'it was aborted before it began' })

    const child = start(program, args, {
      env,
      cwd,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    if (child instanceof Error) return ended({ failure: child.message })
    const leader = child.pid === undefined ? undefined : statOf(child.pid)
    const kill = (): void => {
      if (leader) signalMembers(leader, membersOf(leader, true), 'SIGKILL')
    }
    let last: Timer | undefined
    const finish = (end: Partial<CommandEnd>): void => {
      signal.removeEventListener('abort', abort)
      last?.cancel()
      kill()
      // What has left the session may hold the pipes for as long as it likes. There are none if descriptors have run out.
      child.stdout?.destroy()
      child.stderr?.destroy()
      ended(end)
    }
    const abort = (): void => {
      kill()
      // A process that hangs in the kernel cannot be waited for.
      last ??= clock.after(lastSignMs, () => finish({ failure: 'it does not end when it is killed' }))
    }
    child.on('error', (error) => finish({ failure: error.message }))
    child.on('exit', (exitCode, exitSignal) => {
      kill()
      last?.cancel()
      last = clock.after(lastOutputMs, () => finish({ exitCode, exitSignal }))
    })
    child.on('close', (exitCode, exitSignal) => finish({ exitCode, exitSignal }))
    child.stdout?.on('data', tail.take)
    child.stderr?.on('data', tail.take)
    signal.addEventListener('abort', abort)
  })

const start = (program: string, args: string[], options: SpawnOptions): ChildProcess | Error => {
  try {
    return spawn(program, args, options)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

const createTail = () => {
  let kept = Buffer.alloc(0)
  return {
    take: (chunk: Buffer): void => {
      kept = Buffer.concat([kept, chunk.subarray(-keptBytes)]).subarray(-keptBytes)
    },
    text: (): string => kept.toString('utf8').trim(),
  }
}
