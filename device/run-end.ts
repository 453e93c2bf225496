import type { RunChange } from '../schemas/exchange.ts'
import type { StopReason } from './journal.ts'
import type { RunEnd } from './runner.ts'

export type EndOfRun = Pick<RunChange, 'state' | 'reason' | 'exit_code' | 'signal' | 'agent'>

/**
 * Decides how a run has ended, from why it was being stopped and from what the runner found. Never a guess: where no status was
 * recorded, the reason says so. A signal is named only where Skein itself sent it.
 */
export const endOfRun = (end: RunEnd, stopFor: StopReason | null, timeoutSeconds: number | undefined): EndOfRun => {
  const result = whole(end, stopFor, timeoutSeconds)
  return result.reason === undefined ? result : { ...result, reason: shortened(result.reason) }
}

/** A reason may quote the command, which may be long. */
const shortened = (reason: string): string => (reason.length <= 500 ? reason : `${reason.slice(0, 499)}…`)

const whole = (end: RunEnd, stopFor: StopReason | null, timeoutSeconds: number | undefined): EndOfRun => {
  const code =
    end.kind === 'exited'
      ? { exit_code: end.code }
      : end.kind === 'agent'
        ? { ...(end.code === null ? {} : { exit_code: end.code }), agent: end.result }
        : {}
  const signal = stopFor !== null && end.kind === 'exited' ? signalOf(end.code) : {}
  switch (stopFor) {
    case 'cancelled':
      return { state: 'cancelled', reason: 'cancelled', ...code, ...signal }
    case 'superseded':
      return { state: 'cancelled', reason: 'superseded', ...code, ...signal }
    case 'timed_out':
      return { state: 'timed_out', reason: `timed out after ${timeoutSeconds ?? '?'} s`, ...code, ...signal }
    case 'given_up':
      return { state: 'failed', reason: 'given_up: no word from the controller for too long', ...code, ...signal }
    case 'shutdown':
      return { state: 'failed', reason: 'device_shutdown', ...code, ...signal }
    case null:
      break
  }
  switch (end.kind) {
    case 'exited':
      if (end.isOutOfMemory)
        return { state: 'failed', reason: 'oom: killed by the kernel at its memory limit', exit_code: end.code }
      return end.code === 0
        ? { state: 'succeeded', exit_code: 0 }
        : { state: 'failed', reason: `exited with ${end.code}`, exit_code: end.code }
    case 'not_started':
      return { state: 'failed', reason: end.reason, exit_code: end.code }
    case 'unknown':
      return { state: 'failed', reason: end.reason }
    case 'agent':
      return end.result.stop_reason === 'completed'
        ? { state: 'succeeded', ...code }
        : { state: 'failed', reason: `${end.result.stop_reason}: ${end.reason}`, ...code }
  }
}

const signalOf = (code: number): { signal?: string } =>
  code === 143 ? { signal: 'SIGTERM' } : code === 137 ? { signal: 'SIGKILL' } : {}
