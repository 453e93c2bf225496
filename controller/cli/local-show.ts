import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { WorkloadRun, WorkloadStatus } from '../../schemas/workload-status.ts'
import type { Io } from './io.ts'
import { ago, factsOf, tableOf } from './table.ts'

/** A workload as the device of this machine tells of it. */
export type LocalWorkload = WorkloadStatus & { spec: WorkloadSpec; file: string | null; runs: WorkloadRun[] }

/** The workloads of one device as a table. */
export const localTable = (workloads: readonly WorkloadStatus[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['WORKLOAD', 'STATE', 'HEALTH', 'MODE', 'RUNS', 'STARTED', 'NEXT', 'PID', 'MEMORY', 'REASON'],
    workloads.map((one) => [
      shortened(one.name),
      one.state,
      one.health ?? '-',
      one.run_mode,
      String(one.run_count),
      ago(one.last_started_at, now),
      ago(one.next_at, now),
      one.pid === null ? '-' : String(one.pid),
      one.memory_mb === null ? '-' : `${Math.round(one.memory_mb)} MB`,
      one.reason ?? '',
    ]),
    io.terminal,
  )

/** In a narrow terminal the state of a workload counts more than the end of its name. */
const shortened = (name: string): string => (name.length <= longestShown ? name : `${name.slice(0, longestShown - 1)}…`)
const longestShown = 32

/** One workload, with the last of its runs. */
export const localDetails = (one: LocalWorkload, now: number): string => {
  const { spec } = one
  const at = (instant: string | null): string | null => (instant === null ? null : `${instant} (${ago(instant, now)})`)
  const words = spec.command ?? spec.script?.split('\n', 1)[0] ?? spec.module ?? spec.prompt ?? ''
  return factsOf([
    ['workload', one.name],
    ['state', one.state + (one.reason ? ` (${one.reason})` : '')],
    ['health', one.health],
    ['type', one.type],
    ['run mode', one.run_mode],
    ['runs', typeof words === 'string' ? words : words.join(' ')],
    ['entry point', spec.module === undefined ? null : (spec.entry_point ?? 'run')],
    [
      'schedule',
      spec.schedule === undefined ? null : `${spec.schedule}${spec.timezone === undefined ? '' : ` (${spec.timezone})`}`,
    ],
    ['max runs', spec.max_runs],
    ['version', one.version],
    ['tags', one.tags.join(', ')],
    ['origin', one.file ?? one.origin],
    ['pid', one.pid],
    ['memory', one.memory_mb === null ? null : `${one.memory_mb} MB`],
    ['run count', one.failures > 0 ? `${one.run_count}, the last ${one.failures} failed` : one.run_count],
    ['started', at(one.last_started_at)],
    ['ended', at(one.last_ended_at)],
    ['next', at(one.next_at)],
    ['last exit code', one.last_exit_code],
    ['last error', one.last_error],
  ])
}

/** Runs of a workload, newest first. */
export const runsTable = (runs: readonly WorkloadRun[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['RUN', 'CAUSE', 'STATE', 'EXIT', 'STARTED', 'TOOK', 'SLOT', 'REASON'],
    runs.map((run) => [
      run.run_id,
      run.cause,
      run.state,
      run.exit_code === null ? '-' : String(run.exit_code),
      ago(run.started_at, now),
      run.duration_seconds === null ? '-' : `${run.duration_seconds}s`,
      run.slot ?? '-',
      run.reason ?? '',
    ]),
    io.terminal,
  )
