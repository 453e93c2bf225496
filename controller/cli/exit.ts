import { constants } from 'node:os'
import type { FieldFault, WireError } from '../../schemas/errors.ts'
import type { TaskState } from '../../schemas/task-states.ts'

/** What the CLI's exit status says. `run` passes the program's own code on instead, where there is one. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  timedOut: 124,
  skein: 125,
  interrupted: 130,
} as const

/** A verb cannot do what it was asked for: what is told to people or printed as JSON, and the exit status. */
export class CliFailure extends Error {
  readonly exitCode: number
  readonly code: string
  readonly details: FieldFault[]
  /** Nobody has answered, but what was asked for was sent, and may be done. */
  readonly mayBeDone: boolean
  constructor(exitCode: number, code: string, message: string, details: FieldFault[] = [], mayBeDone = false) {
    super(message)
    this.exitCode = exitCode
    this.code = code
    this.details = details
    this.mayBeDone = mayBeDone
  }
}

export const usageFailure = (message: string): CliFailure => new CliFailure(exitCodes.usage, 'usage', message)
export const unreachable = (message: string, mayBeDone = false): CliFailure =>
  new CliFailure(exitCodes.unreachable, 'unreachable', message, [], mayBeDone)

/** For what changes something: where it was sent and nobody has answered, it is said that it may be done. */
export const unanswered =
  (hint: string) =>
  (error: unknown): never => {
    throw error instanceof CliFailure && error.mayBeDone ? unreachable(`${error.message}; ${hint}`, true) : error
  }

/** A refusal of the controller as a failure of the verb. */
export const refusalFailure = ({ code, message, details }: WireError): CliFailure =>
  new CliFailure(exitCodeOfRefusal(code), code, message, details)

const exitCodeOfRefusal = (code: string): number => {
  if (code === 'unavailable') return exitCodes.unreachable
  return code === 'internal' ? exitCodes.failed : exitCodes.refused
}

export interface Ending {
  state: TaskState
  exit_code: number | null
  runs: readonly { attempt: number; signal: string | null; exit_code: number | null; agent?: unknown }[]
}

/** What `run` exits with: the program's own code, 128 + n for a signal, and codes of our own where there is none. */
export const exitCodeOfRun = ({ state, exit_code, runs }: Ending): number => {
  switch (state) {
    case 'succeeded':
      return exit_code ?? exitCodes.done
    case 'failed': {
      const last = runs.reduce<Ending['runs'][number] | undefined>((a, b) => (a && a.attempt > b.attempt ? a : b), undefined)
      const signal = Object.entries(constants.signals).find(([name]) => name === last?.signal)?.[1]
      if (signal !== undefined) return 128 + signal
      return exit_code ?? last?.exit_code ?? (last?.agent ? exitCodes.failed : exitCodes.skein)
    }
    case 'timed_out':
      return exitCodes.timedOut
    case 'cancelled':
      return exitCodes.interrupted
    case 'lost':
    case 'rejected':
    case 'expired':
    case 'queued':
    case 'active':
      return exitCodes.skein
  }
}
