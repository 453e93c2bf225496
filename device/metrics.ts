import type { LoopDelay } from '../base/loop-delay.ts'
import { expositionOf, type Family, gauge, processFamilies } from '../base/metrics.ts'
import { version } from '../base/version.ts'

export interface DeviceFacts {
  isConnected: boolean
  running: number
  capacity: number
  unacknowledgedStreams: number
  spooledBytes: number
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
    ...hostFamilies(facts.host),
    ...processFamilies('device', version, delay.report()),
  ])

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
