import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { quote } from './command-line.ts'
import shim from './shim.sh'

/** A small shell that waits in its folder for the next run, and outlives the daemon while it has one. */
export interface Shim {
  /** Starts a run in its folder; `program` is the text that becomes the program. */
  serve(run: string, program: string): void
  /** It may go: at once if it waits, otherwise when all of its run has been read. */
  dismiss(): void
}

export interface ShimOptions {
  folder: string
  boot: string
  /** The pipe through which it says how far a run is: a line of the run's id and `started`, `ended` or `left`. */
  wake: string
  /** Called once, when it has ended or could not be started. Never from within. */
  ended: (end: ShimEnd) => void
}

export interface ShimEnd {
  /** Why it could not be started. */
  error?: Error
  /** The disk did not take the claim of its run: nothing of the run has begun. */
  lackedRoom: boolean
}

const lackedRoom = 77

export const startShim = ({ folder, boot, wake, ended }: ShimOptions): Shim => {
  const child = spawn('/bin/sh', ['-s', 'shim'], { cwd: folder, env: {}, detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  child.once('error', (error) => ended({ error, lackedRoom: false }))
  child.once('exit', (code) => ended({ lackedRoom: code === lackedRoom }))
  // What it is told comes to nothing when it has died; that it has is told by its exit.
  child.stdin.on('error', () => undefined)
  // Neither it nor the pipe to it keeps the daemon.
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  child.stdin.write(shimText(boot, wake))
  return {
    serve: (run, program) => void child.stdin.write(serveText(run, program)),
    dismiss: () => void child.stdin.end(),
  }
}

/** What a shell has to read to become a shim. */
export const shimText = (boot: string, wake: string): string => `boot=${quote(boot)} wake=${quote(wake)}\n${shim}\n`

export const serveText = (run: string, program: string): string => `program() {\n${program}\n}\nserve ${quote(run)}\n`
