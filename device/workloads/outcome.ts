import type { RunEnd } from '../runner.ts'
import type { WorkloadRunRow, WorkloadStopReason } from './workload-rows.ts'

/** How a run of a workload has ended, as its row keeps it. */
export type RunOutcome = Pick<WorkloadRunRow, 'state' | 'reason' | 'exit_code' | 'signal'>

/**
 * Decides how a run has ended, from why it was being stopped and from what the runner found. Never a guess: where no status was
 * recorded, the reason says so.
 */
export const outcomeOf = (end: RunEnd, stopFor: WorkloadStopReason | null, why: string | null): RunOutcome => {
  const code = { exit_code: end.kind === 'unknown' ? null : end.code }
  const signal = { signal: stopFor !== null && end.kind === 'exited' ? signalOf(end.code) : null }
  const ended = { ...code, ...signal }
  switch (stopFor) {
    case 'stopped':
    case 'restart':
    case 'changed':
    case 'removed':
    case 'replaced':
    case 'shutdown':
      return { state: 'stopped', reason: reasonOf[stopFor], ...ended }
    case 'timed_out':
      return { state: 'timed_out', reason: why ?? 'timed out', ...ended }
    case 'oom':
      return { state: 'failed', reason: why ?? 'oom', ...ended }
    case 'unhealthy':
      return { state: 'failed', reason: why ?? 'unhealthy', ...ended }
    case null:
      break
  }
  switch (end.kind) {
    case 'exited':
      if (end.isOutOfMemory) return { state: 'failed', reason: 'oom: the kernel has killed it at its memory limit', ...ended }
      return end.code === 0
        ? { state: 'succeeded', reason: null, ...ended }
        : { state: 'failed', reason: `exited with ${end.code}`, ...ended }
    case 'agent':
      return end.result.stop_reason === 'completed'
        ? { state: 'succeeded', reason: null, ...ended }
        : { state: 'failed', reason: `${end.result.stop_reason}: ${end.reason}`, ...ended }
    case 'not_started':
    case 'unknown':
      return { state: 'failed', reason: end.reason, ...ended }
  }
}

/** Why a run was stopped, in words; that of other reasons comes with them. */
export const reasonOf = {
  stopped: 'stopped by hand',
  restart: 'restarted by hand',
  changed: 'its spec has changed',
  removed: 'removed',
  replaced: 'replaced by the next firing',
  shutdown: 'device_shutdown',
} as const

const signalOf = (code: number): string | null =>
  code === 143 ? 'SIGTERM' : code === 137 ? 'SIGKILL' : code === 130 ? 'SIGINT' : null
