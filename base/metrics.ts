import { readdirSync, readFileSync } from 'node:fs'
import type { DelayReport } from './loop-delay.ts'

/** One metric with its samples, as Prometheus reads it. */
export interface Family {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram' | 'summary'
  samples: readonly Sample[]
}
export interface Sample {
  value: number
  labels?: Readonly<Record<string, string>>
  /** What follows the name in this sample: `_bucket`, `_sum`, `_count`. */
  suffix?: string
}

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** Metrics in Prometheus' text format 0.0.4. */
export const expositionOf = (families: readonly Family[]): string =>
  families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, help, type, samples }) =>
        `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((one) => lineOf(name, one)).join('')}`,
    )
    .join('')

const lineOf = (name: string, { value, labels = {}, suffix = '' }: Sample): string => {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`)
  return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numeral(value)}\n`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
const numeral = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)

/** A gauge with one value, or one for each value of a label. */
export const gauge = (name: string, help: string, value: number | Readonly<Record<string, number>>, label = 'state'): Family => ({
  name,
  help,
  type: 'gauge',
  samples:
    typeof value === 'number'
      ? [{ value }]
      : Object.entries(value).map(([key, one]) => ({ value: one, labels: { [label]: key } })),
})

/** Counts, by labels; `seen` are those that show as 0 before they happen. */
export const createCounter = (name: string, help: string, seen: readonly Readonly<Record<string, string>>[] = []) => {
  const samples = new Map<string, { value: number; labels: Readonly<Record<string, string>> }>()
  const of = (labels: Readonly<Record<string, string>>) => {
    const key = Object.values(labels).join('\n')
    const known = samples.get(key) ?? { value: 0, labels }
    samples.set(key, known)
    return known
  }
  for (const labels of seen) of(labels)
  return {
    add: (labels: Readonly<Record<string, string>> = {}, by = 1): void => {
      of(labels).value += by
    },
    family: (): Family => ({ name, help, type: 'counter', samples: [...samples.values()] }),
  }
}
export type Counter = ReturnType<typeof createCounter>

/** Counts values in buckets with these upper bounds. */
export const createHistogram = (name: string, help: string, bounds: readonly number[]) => {
  const counts = bounds.map(() => 0)
  let sum = 0
  let count = 0
  return {
    observe: (value: number): void => {
      sum += value
      count += 1
      const at = bounds.findIndex((bound) => value <= bound)
      if (at >= 0) counts[at] = (counts[at] ?? 0) + 1
    },
    family: (): Family => {
      let below = 0
      const buckets = bounds.map((bound, i): Sample => {
        below += counts[i] ?? 0
        return { suffix: '_bucket', labels: { le: String(bound) }, value: below }
      })
      const rest: Sample[] = [
        { suffix: '_bucket', labels: { le: '+Inf' }, value: count },
        { suffix: '_sum', value: sum },
        { suffix: '_count', value: count },
      ]
      return { name, help, type: 'histogram', samples: [...buckets, ...rest] }
    },
  }
}
export type Histogram = ReturnType<typeof createHistogram>

/** What every part tells of its own process: Prometheus' usual names, and the loop's delay. */
export const processFamilies = (part: string, version: string, delay: DelayReport): Family[] => {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  const counter = (name: string, help: string, value: number): Family => ({ name, help, type: 'counter', samples: [{ value }] })
  return [
    {
      name: 'skein_build_info',
      help: 'The version of this part.',
      type: 'gauge',
      samples: [{ value: 1, labels: { part, version } }],
    },
    {
      name: 'skein_event_loop_delay_seconds',
      help: 'How late the event loop was, in the last half minute to minute.',
      type: 'gauge',
      samples: [
        { labels: { quantile: '0.5' }, value: delay.p50_ms / 1000 },
        { labels: { quantile: '0.99' }, value: delay.p99_ms / 1000 },
        { labels: { quantile: '1' }, value: delay.max_ms / 1000 },
      ],
    },
    counter('process_cpu_seconds_total', 'Processor time of this process.', (user + system) / 1e6),
    gauge('process_start_time_seconds', 'When this process started, since 1970.', Math.round(performance.timeOrigin) / 1000),
    gauge('process_resident_memory_bytes', 'Resident memory of this process.', rss),
    gauge('nodejs_heap_size_used_bytes', 'Used heap of the main thread.', heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory outside of the heap.', external),
    gauge('process_open_fds', 'Open file descriptors.', readdirSync('/proc/self/fd').length),
    gauge('process_max_fds', 'The most file descriptors this process may have open.', mostDescriptors()),
  ]
}

const mostDescriptors = (): number => {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}
