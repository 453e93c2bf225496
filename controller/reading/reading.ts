import type { Fresh } from '../metrics-history/history.ts'
import { readSeries } from '../metrics-history/read.ts'
import type { Window } from '../metrics-history/series.ts'
import type { LogPage, LogWindow } from '../store/log-reader.ts'
import type { Store } from '../store/store.ts'
import type { TaskFilter, TaskRow } from '../store/tasks.ts'

/** What may take long to read, as functions of what is stored. Each answers with plain data, so that a worker can do it. */
export const readers = {
  /** Newest first; as many rows as are asked for and fit in about `maxBytes`. */
  tasks: (store: Store, filter: TaskFilter, maxBytes: number): TaskRow[] => store.tasks.list(filter, maxBytes),
  /** How many tasks there are in each state, and how much waits. */
  overview: (store: Store) => ({ tasks: store.tasks.counts(), queue: store.queue.depth() }),
  /** How many tasks were submitted and have ended, by the minute. */
  throughput: (store: Store, from: number, minutes: number) => store.throughput.between(from, minutes),
  /** How many tasks ended before an instant and can be removed. */
  endedBefore: (store: Store, before: number): number => store.ended.count(before),
  /** When the task ended of which so many are younger. */
  endOf: (store: Store, keep: number): number | undefined => store.ended.endOf(keep),
  /** What agents have used. */
  agentUsage: (store: Store, since: number, until: number) => store.runs.usage(since, until),
  /** How busy devices were, with what of it is not stored yet. */
  deviceMetrics: (store: Store, devices: readonly string[], window: Window, fresh: Fresh) =>
    readSeries(store.deviceMetrics, devices, window, fresh),
  /** About what the metrics of devices take of the database of logs. */
  metricsBytes: (store: Store): number => store.deviceMetrics.bytes(),
  /** A part of the log of a run. */
  log: (store: Store, run: string, window: LogWindow): LogPage => store.logs.read(run, window),
} as const

/** A read that could not be done now; the same may succeed later. */
export class ReadFailed extends Error {
  constructor(reason: string) {
    super(`It cannot be read now: ${reason}; ask again`)
  }
}

export type ReaderName = keyof typeof readers
type Rest<N extends ReaderName> = (typeof readers)[N] extends (store: Store, ...rest: infer R) => unknown ? R : never

/** Long reads. Whatever was committed before the call is seen; they do not hold the loop where a worker does them. */
export type Reading = { [N in ReaderName]: (...rest: Rest<N>) => Promise<ReturnType<(typeof readers)[N]>> }

/** The port of a reading, over whoever performs one. */
export const readingBy = (perform: (name: ReaderName, rest: unknown[]) => Promise<unknown>): Reading => {
  const names = Object.keys(readers) as ReaderName[] // Object.keys forgets the keys' type
  return Object.fromEntries(names.map((name) => [name, (...rest: unknown[]) => perform(name, rest)])) as Reading // each by its own name
}

/** One read, by its name. */
export const readFrom = (store: Store, name: ReaderName, rest: unknown[]): unknown => {
  const read = readers[name] as (store: Store, ...rest: unknown[]) => unknown // the port's type ties the name to what follows it
  return read(store, ...rest)
}

/** Reads in this thread: for simulations and tests, whose stores are in memory. */
export const readingHere = (store: Store): Reading => readingBy(async (name, rest) => readFrom(store, name, rest))
