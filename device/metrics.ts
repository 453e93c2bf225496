import type { LoopDelay } from '../base/loop-delay.ts'
import { expositionOf, type Family, gauge, processFamilies } from '../base/metrics.ts'
import { version } from '../base/version.ts'
import { type WorkloadStatus, workloadStates } from '../schemas/workload-status.ts'

export interface DeviceFacts {
  isConnected: boolean
  running: number
  capacity: number
  unacknowledgedStreams: number
  spooledBytes: number
  /** As they are shown. */
  workloads: readonly WorkloadStatus[]
  /** What their logs take. */
  logBytes: number
  host: Readonly<Record<string, unknown>>
}

/** A device's metrics in Prometheus' text format. */
export const deviceMetrics = (facts: DeviceFacts, delay: LoopDelay): string =>
  expositionOf([
    gauge('skein_device_connected', 'Whether there is a connection to the broker.', facts.isConnected ? 1 : 0),
    gauge('skein_runs_live', 'Runs that occupy the device.', facts.running),
    gauge('skein_device_capacity', 'How many runs it takes at a time.', facts.capacity),
    gauge(
      'skein_device_unacknowledged_streams',
      'Streams of which the controller has not acknowledged everything.',
      facts.unacknowledgedStreams,
    ),
    gauge('skein_device_spooled_bytes', 'Output that the controller has not acknowledged yet.', facts.spooledBytes),
    ...workloadFamilies(facts.workloads),
    gauge('skein_workload_log_bytes', 'What the logs of workloads take.', facts.logBytes),
    ...hostFamilies(facts.host),
    ...processFamilies('device', version, delay.report()),
  ])

const workloadFamilies = (workloads: readonly WorkloadStatus[]): Family[] => {
  const by = (value: (one: WorkloadStatus) => number): Readonly<Record<string, number>> =>
    Object.fromEntries(workloads.map((one) => [one.name, value(one)]))
  const states = Object.fromEntries(workloadStates.map((state) => [state, workloads.filter((one) => one.state === state).length]))
  return [
    gauge('skein_workloads', 'Workloads by state.', states),
    gauge(
      'skein_workload_running',
      'Whether a workload runs.',
      by((one) => (one.state === 'running' ? 1 : 0)),
      'workload',
    ),
    gauge(
      'skein_workload_runs',
      'Its runs since it was applied or begun anew.',
      by((one) => one.run_count),
      'workload',
    ),
    gauge(
      'skein_workload_failures',
      'Its runs in a row that failed.',
      by((one) => one.failures),
      'workload',
    ),
    gauge(
      'skein_workload_memory_bytes',
      'What its processes use.',
      by((one) => (one.memory_mb ?? 0) * 1024 * 1024),
      'workload',
    ),
  ]
}

/** What a heartbeat tells of the machine, as far as it is numbers, in Prometheus' base units. */
const hostFamilies = (host: DeviceFacts['host']): Family[] =>
  Object.entries(host).flatMap(([key, value]) => {
    if (typeof value !== 'number') return []
    const unit = units.find(({ ending }) => key.endsWith(ending))
    const name = unit ? key.slice(0, -unit.ending.length) + unit.becomes : key
    return [gauge(`skein_host_${name}`, `Of the machine: ${key} of a heartbeat.`, value * (unit?.times ?? 1))]
  })

const units = [
  { ending: '_mb', becomes: '_bytes', times: 1024 * 1024 },
  { ending: '_percent', becomes: '_ratio', times: 0.01 },
  { ending: '_ms', becomes: '_seconds', times: 0.001 },
]
