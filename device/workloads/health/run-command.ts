import { spawn } from 'node:child_process'
import { membersOf, signalMembers, statOf } from '../../runners/process-table.ts'

export interface CommandOptions {
  env: Record<string, string>
  cwd: string
  uid?: number | undefined
  gid?: number | undefined
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

/**
 * Runs a command, words or a line for `sh -c`, in a session of its own, until it ends or is aborted. What it leaves behind in
 * its session or process group is killed; it never throws.
 */
export const runCommand = (command: string | readonly string[], options: CommandOptions): Promise<CommandEnd> =>
  new Promise((resolve) => {
    const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command
    const tail = createTail()
    const ended = (end: Partial<CommandEnd>): void =>
      resolve({ exitCode: null, exitSignal: null, failure: null, output: tail.text(), ...end })
    if (options.signal.aborted) return ended({ failure: 'it was aborted before it began' })
    const { env, cwd, uid, gid } = options
    try {
      const user = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) }
      const child = spawn(program, args, { env, cwd, ...user, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
      const leader = child.pid === undefined ? undefined : statOf(child.pid)
      const kill = (): void => {
        if (leader) signalMembers(leader, membersOf(leader), 'SIGKILL')
      }
      const finish = (end: Partial<CommandEnd>): void => {
        options.signal.removeEventListener('abort', kill)
        kill()
        // What has left the session may hold the pipes for as long as it likes.
        child.stdout.destroy()
        child.stderr.destroy()
        ended(end)
      }
      options.signal.addEventListener('abort', kill)
      child.stdout.on('data', tail.take)
      child.stderr.on('data', tail.take)
      child.on('error', (error) => finish({ failure: error.message }))
      child.on('exit', (exitCode, exitSignal) => {
        // What it wrote last may still be in the pipe.
        setImmediate(() => finish({ exitCode, exitSignal }))
      })
    } catch (error) {
      ended({ failure: error instanceof Error ? error.message : String(error) })
    }
  })

const createTail = () => {
  let kept = Buffer.alloc(0)
  return {
    take: (chunk: Buffer): void => {
      kept = Buffer.concat([kept, chunk.subarray(-keptBytes)]).subarray(-keptBytes)
    },
    text: (): string => kept.toString('utf8').trim(),
  }
}
