import type { FleetWorkload } from '../../schemas/workload-operations.ts'
import type { ReloadDiff, WorkloadStatus } from '../../schemas/workload-status.ts'
import type { Io } from './io.ts'
import { ago, factsOf, tableOf } from './table.ts'

/** Workloads as a table. */
export const workloadsTable = (workloads: readonly FleetWorkload[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['DEVICE', 'WORKLOAD', 'STATE', 'HEALTH', 'MODE', 'RUNS', 'STARTED', 'NEXT', 'MEMORY', 'REASON'],
    workloads.map((one) => [
      one.device_state === 'online' ? one.device : `${one.device} (${one.device_state})`,
      one.name,
      one.state,
      one.health ?? '-',
      one.run_mode,
      String(one.run_count),
      ago(one.last_started_at, now),
      ago(one.next_at, now),
      memoryOf(one) ?? '-',
      one.reason ?? '',
    ]),
    io.terminal,
  )

/** One workload. */
export const workloadDetails = (one: FleetWorkload, now: number): string =>
  factsOf([
    ['workload', one.name],
    ['device', one.device_state === 'online' ? one.device : `${one.device} (${one.device_state})`],
    ['state', stateOf(one)],
    ['health', one.health],
    ['type', one.type],
    ['run mode', one.run_mode],
    ['version', one.version],
    ['origin', one.origin],
    ['tags', one.tags.join(', ')],
    ['pid', one.pid],
    ['memory', memoryOf(one)],
    ['runs', one.failures > 0 ? `${one.run_count}, the last ${one.failures} failed` : one.run_count],
    ['last exit code', one.last_exit_code],
    ['last error', one.last_error],
    ['started', one.last_started_at === null ? null : `${one.last_started_at} (${ago(one.last_started_at, now)})`],
    ['ended', one.last_ended_at === null ? null : `${one.last_ended_at} (${ago(one.last_ended_at, now)})`],
    ['next', one.next_at === null ? null : `${one.next_at} (${ago(one.next_at, now)})`],
    ['reported', ago(one.reported_at, now)],
  ])

/** What became of a workload, in one line. */
export const workloadLine = (device: string, one: WorkloadStatus): string =>
  `${device} ${one.name} ${stateOf(one)}${one.pid === null ? '' : `, pid ${one.pid}`}\n`

/** What a reload has changed: a line for each kind of change that there was. */
export const reloadLines = (diff: ReloadDiff): string => {
  const { added, removed, restarted, unchanged } = diff
  const updated = Array.isArray(diff['updated']) ? diff['updated'].map(String) : []
  return factsOf([
    ['added', added.join(', ')],
    ['removed', removed.join(', ')],
    ['restarted', restarted.join(', ')],
    ['taken in, not started again', updated.join(', ')],
    ['unchanged', unchanged.length === 0 ? null : unchanged.length],
  ])
}

const stateOf = ({ state, reason }: WorkloadStatus): string => state + (reason ? ` (${reason})` : '')
const memoryOf = ({ memory_mb: memory }: WorkloadStatus): string | null => (memory === null ? null : `${Math.round(memory)} MB`)
