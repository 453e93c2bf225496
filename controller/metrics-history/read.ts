import type { DeviceMetrics } from '../store/device-metrics.ts'
import type { Fresh } from './history.ts'
import { merged } from './hours.ts'
import { seriesOf, type Window } from './series.ts'

export interface MetricsSeries {
  device: string
  cpu_percent: (number | null)[]
  memory_percent: (number | null)[]
  disk_percent: (number | null)[]
  temperature_celsius: (number | null)[]
}

/** The series of some devices, from what is stored and what is not stored yet. */
export const readSeries = (table: DeviceMetrics, devices: readonly string[], window: Window, fresh: Fresh): MetricsSeries[] =>
  devices.map((device) => {
    const unsaved = fresh.get(device)
    const [cpu = [], memory = [], disk = [], temperature = []] = seriesOf(window, (hour) => {
      const [stored, newer] = [table.get(hour, device), unsaved?.get(hour)]
      return stored && newer ? merged(stored, newer) : (newer ?? stored)
    })
    return { device, cpu_percent: cpu, memory_percent: memory, disk_percent: disk, temperature_celsius: temperature }
  })
