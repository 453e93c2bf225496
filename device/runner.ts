import type { Writable } from 'node:stream'
import type { AgentResult } from '../schemas/agent.ts'
import type { AgentEvent, ApprovalChange } from '../schemas/agent-events.ts'
import type { RunPayload } from '../schemas/payload.ts'
import type { Sandbox, StopSignal } from '../schemas/workload.ts'

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
  /** What of a setup this device cannot enforce, in words for people; undefined if there is nothing. */
  lacks(setup: RunSetup): string | undefined
}

export interface StartOrder {
  run: string
  payload: RunPayload
  /** Variables beside those of the payload and the daemon's own (PATH, HOME, …): SKEIN_RUN, SKEIN_TASK, SKEIN_DEVICE, SKEIN_ATTEMPT. */
  env: Readonly<Record<string, string>>
  /** How it is set up beyond that; a task's own command has none of it. */
  setup?: RunSetup
  /** It has a standard input, `RunHandle.input`, and ends with this daemon: nobody else could go on with what it hears. */
  hasInput?: boolean
}

/** As whom, where and within which limits a program runs. What this device cannot enforce is refused before (`Runner.lacks`), never left out. */
export interface RunSetup {
  /** A user of this machine, by name or number. */
  user?: string
  /** Where relative paths begin, in place of the folder of the run: it is there, and stays. */
  folder?: string
  /** Folders that were made for it, and are to be its user's. */
  own?: readonly string[]
  nice?: number
  memoryMb?: number
  cpuWeight?: number
  /** Of one processor. */
  cpuPercent?: number
  processes?: number
  openFiles?: number
  sandbox?: Sandbox
  /** Its output goes straight into this file, or nowhere: there are no pipes then. */
  output?: { kind: 'file'; path: string } | { kind: 'none' }
}

export interface AdoptOrder {
  run: string
  /** The kernel's boot id when the run was started. */
  boot: string
  /** It was started with a setup. */
  hasSetup?: boolean
}

export interface RunWatcher {
  /** The child exists. Called once for a start or an adoption that finds a claimed run. */
  started(pid: number): void
  /** The next bytes of a stream. Whoever wants to keep them does so in this call: they are gone from the pipe, and overwritten after it. */
  output(stream: 'o' | 'e', bytes: Buffer): void
  /** The program has exited, its whole group is gone and its pipes are drained. Called once, last. */
  ended(end: RunEnd): void
  /** Of an agent: what it does, as it does it. */
  event?(event: AgentEvent): void
  /** Skein's own word, for the log. */
  say?(text: string): void
  /** Of an agent: it waits for somebody's permission, or that has been answered. */
  approval?(change: ApprovalChange): void
  /** Called in place of all others: the disk is full, and nothing of the run has begun. Forgotten and started again it may. */
  noRoom(): void
}

export type RunEnd =
  /** The status that the shell saw: above 128 it may have been a signal. */
  | {
      kind: 'exited'
      code: number
      /** When its status was written down, by the wall clock, if this daemon was not there to hear of it. */
      endedAt?: number
      /** The kernel has killed a process of it because its memory was at the limit. */
      isOutOfMemory?: true
    }
  /** It was never started, and nothing of it ran: no such program, no such folder. `code` is 127 or 126, as in a shell. */
  | { kind: 'not_started'; code: number; reason: string }
  /** It ran, but no status was recorded: `device_rebooted` or `exit_unknown`. */
  | { kind: 'unknown'; reason: 'device_rebooted' | 'exit_unknown' }
  /** An agent, as far as it got. Its process has gone. */
  | { kind: 'agent'; reason: string; code: number | null; result: AgentResult }

export interface ApprovalAnswer {
  approval: string
  verdict: 'approved' | 'rejected'
  by: string
  reason: string | null
}

export interface RunHandle {
  /** SIGTERM, or another signal, to all of it, SIGKILL after the grace; at once with a grace of 0. Again: only ever sooner. `ended` follows. */
  stop(graceMs: number, signal?: StopSignal): void
  /** Its time is over: nothing is asked of it before the signal. */
  cutOff?(graceMs: number): void
  /** What all of its processes together use now; null while there are none. */
  usage(): { memoryBytes: number; processes: number } | null
  /** Stops reading its output: the program waits when its pipe is full. */
  pause(): void
  resume(): void
  /** Of an agent: tells it something while it works. False when it does not listen any more. */
  tell?(text: string, by: string): boolean
  /** Of an agent: somebody has answered what it waits for. An answer that comes too late changes nothing. */
  answer?(answer: ApprovalAnswer): void
  /** Its standard input, if it was ordered with one. */
  input?: Writable
  /** Lets go of pipes and timers without touching the process: the daemon ends, the run goes on. */
  release(): void
}
