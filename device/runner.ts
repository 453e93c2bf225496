import type { ProcessPayload } from '../schemas/task.ts'

/**
 * The port through which the device starts work. Implementations: real processes (runners/process.ts), simulated (test/simulation).
 * A run is started at most once, whatever crashes in between: its claim is a file that can be created only once.
 */
export interface Runner {
  /** Starts a run that is in the journal. If it was claimed before, this adopts it instead. */
  start(order: StartOrder, watcher: RunWatcher): RunHandle
  /** Takes over a run of an earlier daemon: its pipes, its exit status, or the finding that nothing is known. Never starts anything. */
  adopt(order: AdoptOrder, watcher: RunWatcher): RunHandle
  /** The run has ended and all of it is in the journal: its shim may end, its folder goes. */
  forget(run: string): void
  /** Runs of which something is left in the folder: to be adopted or forgotten. */
  leftovers(): string[]
}

export interface StartOrder {
  run: string
  payload: ProcessPayload
  /** Variables beside those of the payload and the daemon's own (PATH, HOME, …): SKEIN_RUN, SKEIN_TASK, SKEIN_DEVICE, SKEIN_ATTEMPT. */
  env: Readonly<Record<string, string>>
}

export interface AdoptOrder {
  run: string
  /** The kernel's boot id when the run was started. */
  boot: string
}

export interface RunWatcher {
  /** The child exists. Called once for a start or an adoption that finds a claimed run. */
  started(pid: number): void
  /** The next bytes of a stream. Whoever wants to keep them does so in this call: they are gone from the pipe, and overwritten after it. */
  output(stream: 'o' | 'e', bytes: Buffer): void
  /** The program has exited, its whole group is gone and its pipes are drained. Called once, last. */
  ended(end: RunEnd): void
  /** Called in place of all others: the disk is full, and nothing of the run has begun. Forgotten and started again it may. */
  noRoom(): void
}

export type RunEnd =
  /** The status that the shell saw: above 128 it may have been a signal. */
  | { kind: 'exited'; code: number }
  /** It was never started, and nothing of it ran: no such program, no such folder. `code` is 127 or 126, as in a shell. */
  | { kind: 'not_started'; code: number; reason: string }
  /** It ran, but no status was recorded: `device_rebooted` or `exit_unknown`. */
  | { kind: 'unknown'; reason: 'device_rebooted' | 'exit_unknown' }

export interface RunHandle {
  /** SIGTERM to the group, SIGKILL after the grace; at once with a grace of 0. Again: only ever sooner. `ended` follows. */
  stop(graceMs: number): void
  /** Stops reading its output: the program waits when its pipe is full. */
  pause(): void
  resume(): void
  /** Lets go of pipes and timers without touching the process: the daemon ends, the run goes on. */
  release(): void
}
