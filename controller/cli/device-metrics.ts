import type { OutputOf } from '../../schemas/operations.ts'
import { CliFailure, exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { spanOf } from './log-part.ts'
import { tableOf } from './table.ts'
import { askFor, withClient } from './with-client.ts'

type Metrics = OutputOf<'device.metrics'>
type Series = Metrics['devices'][number]['cpu_percent']

/** So many signs a line has. */
const points = 60

/** `device metrics`: how busy a device was, as a line for each figure. */
export const showMetrics = (io: Io, flags: GlobalFlags & { since?: string; until?: string }, name: string): Promise<number> => {
  const span = spanOf(flags, io.clock.now())
  return withClient(io, flags, async (client) => {
    const metrics = await askFor(client, 'device.metrics', { devices: [name], points, ...span })
    const [device] = metrics.devices
    if (!device) throw new CliFailure(exitCodes.refused, 'not_found', `no device named "${name}" has joined`)
    if (flags.json) printJson(io, metrics)
    else io.out(metricsTable(metrics, io))
    return exitCodes.done
  })
}

/** The figures of the first device of an answer. */
export const metricsTable = ({ from, step_seconds, devices }: Metrics, io: Pick<Io, 'terminal'>): string => {
  const [device] = devices
  if (!device) return ''
  const rows = [
    rowOf('cpu', '%', device.cpu_percent, percents),
    rowOf('memory', '%', device.memory_percent, percents),
    rowOf('disk', '%', device.disk_percent, percents),
    rowOf('temperature', '°C', device.temperature_celsius),
  ]
  const step = `${step_seconds / 60} min each, from ${from}`
  return tableOf(['', 'MIN', 'MEAN', 'MAX', step], rows, io.terminal)
}

const percents = { least: 0, most: 100 }

const rowOf = (name: string, unit: string, series: Series, bounds?: { least: number; most: number }): string[] => {
  const known = series.filter((value) => value !== null)
  if (known.length === 0) return [name, '-', '-', '-', '(nothing was heard)']
  const [least, most] = [Math.min(...known), Math.max(...known)]
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length
  const figures = [least, mean, most].map((value) => `${Math.round(value)} ${unit}`)
  return [name, ...figures, sparkline(series, bounds ?? { least, most })]
}

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']

/** A line of bars between two bounds; where nothing is known it has gaps. */
export const sparkline = (series: Series, { least, most }: { least: number; most: number }): string =>
  series
    .map((value) => {
      if (value === null) return ' '
      // What does not change lies low: there is nothing to see in it.
      const height = most > least ? (value - least) / (most - least) : 0
      return bars[Math.min(bars.length - 1, Math.max(0, Math.floor(height * bars.length)))] ?? ' '
    })
    .join('')
