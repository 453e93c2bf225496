import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One message between the bench and a program of its own. */
export interface Note {
  kind: string
  // biome-ignore lint/suspicious/noExplicitAny: each program says what is in its notes
  [field: string]: any
}

/** A process that the bench has started, and ends. */
export interface Started {
  pid: number
  /** Its output, as far as it is not shown: the end of it. */
  said(): string
  send(note: Note): void
  /** The next note of this kind, or an error when it ends before or takes longer than `withinMs`. */
  next(kind: string, withinMs?: number): Promise<Note>
  onNote(call: (note: Note) => void): void
  /** Sends the signal and waits; SIGKILL after ten seconds. */
  end(signal?: NodeJS.Signals): Promise<void>
  exited: Promise<number | null>
}

/** What one part of the bench opens: processes and folders, all of them gone after `close`. */
export interface World {
  temp(name: string): string
  /** Any program. With `ipc` it may exchange notes. */
  start(command: string, args: readonly string[], how?: { env?: NodeJS.ProcessEnv; ipc?: boolean; cwd?: string }): Started
  /** A program of bench/programs/ by its name, given its settings as JSON. */
  program(name: string, settings: unknown, nodeArgs?: readonly string[]): Started
  /** Called at the end, last opened first. */
  own(close: () => Promise<void> | void): void
  close(): Promise<void>
}

const bundles = dirname(fileURLToPath(import.meta.url))

export const openWorld = (): World => {
  const root = mkdtempSync(join(tmpdir(), 'skein-bench-'))
  const owned: (() => Promise<void> | void)[] = []
  let count = 0
  let closing: Promise<void> | undefined

  const start: World['start'] = (command, args, { env = process.env, ipc = false, cwd = root } = {}) => {
    count += 1
    const file = join(root, `out-${count}`)
    const fd = openSync(file, 'a')
    // A session of its own: Ctrl-C reaches the bench alone, which ends them in order.
    const child = spawn(command, args, {
      env,
      cwd,
      detached: true,
      stdio: ['ignore', fd, fd, ...(ipc ? (['ipc'] as const) : [])],
    })
    closeSync(fd)
    const started = startedOf(child, () => readFileSync(file, 'utf8').slice(-4000), `${command} ${args[0] ?? ''}`)
    owned.push(() => started.end())
    return started
  }

  return {
    temp: (name) => mkdtempSync(join(root, `${name}-`)),
    start,
    program: (name, settings, nodeArgs = []) =>
      start(process.execPath, [...nodeArgs, join(bundles, 'programs', `${name}.mjs`), JSON.stringify(settings)], { ipc: true }),
    own: (close) => {
      owned.push(close)
    },
    close: () => {
      closing ??= (async () => {
        for (const close of owned.reverse()) await close()
        rmSync(root, { recursive: true, force: true, maxRetries: 5 })
      })()
      return closing
    },
  }
}

const startedOf = (child: ChildProcess, said: () => string, name: string): Started => {
  const listeners = new Set<(note: Note) => void>()
  let failure: Error | undefined
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      failure = error
      resolve(null)
    })
    child.once('exit', (code) => resolve(code))
  })
  child.on('message', (note) => {
    for (const call of [...listeners]) call(note as Note) // our own programs send nothing else
  })
  const isOver = (): boolean => failure !== undefined || child.exitCode !== null || child.signalCode !== null
  return {
    pid: child.pid ?? 0,
    said,
    exited,
    send: (note) => {
      child.send(note)
    },
    onNote: (call) => {
      listeners.add(call)
    },
    next: (kind, withinMs = 60_000) =>
      new Promise((resolve, reject) => {
        const settle = (call: () => void): void => {
          clearTimeout(timer)
          listeners.delete(take)
          call()
        }
        const fail = (why: string): void => settle(() => reject(new Error(`${name}: ${why}; it said:\n${said()}`)))
        const take = (note: Note): void => {
          if (note.kind === kind) settle(() => resolve(note))
        }
        const timer = setTimeout(() => fail(`no "${kind}" within ${withinMs / 1000} s`), withinMs)
        listeners.add(take)
        void exited.then((code) => fail(`ended with ${code}${failure ? ` (${failure.message})` : ''} before "${kind}"`))
      }),
    end: async (signal = 'SIGTERM') => {
      if (isOver()) return
      child.kill(signal)
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(timer)
    },
  }
}
