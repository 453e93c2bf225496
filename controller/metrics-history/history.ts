import { type Clock, every, sleep } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import type { Heartbeat } from '../../schemas/exchange.ts'
import type { DeviceMetrics } from '../store/device-metrics.ts'
import { emptyHour, figures, type Hour, hourOf, merged, minuteMs, putMinute, type Sample, sampleOf } from './hours.ts'

export interface MetricsHistoryDeps {
  table: DeviceMetrics
  /** Of the database that the table is in. */
  commits: GroupCommit
  clock: Clock
  log: Log
  keepMs: number
}

/** How long figures are kept if nothing else is said. */
export const usualKeepMs = 48 * 3600 * 1000

const lookEveryMs = 5000
/** A slice of so many rows takes some milliseconds; then others have their turn. */
const mostRows = 100
const mostHours = 500
const mostSettled = 1000
const pauseMs = 10
/** Of what cannot be stored, because the disk is full, so many hours are kept in memory. */
const mostUnsaved = 4

/** The minute under way of one device. */
interface Gathering {
  minute: number
  sums: number[]
  counts: number[]
}

/** By hour, then by device. */
type Unsaved = Map<number, Map<string, Hour>>
/** What of some devices is not stored yet: by device, then by hour. */
export type Fresh = Map<string, Map<number, Hour>>

/**
 * Keeps how busy devices were: means over each minute, gathered in memory, and written when the minute is over, in slices that hold nobody up and do not
 * wait for the disk. What a crash takes along is the last minute, and what a power cut does, some seconds more.
 */
export const startMetricsHistory = ({ table, commits, clock, log, keepMs }: MetricsHistoryDeps) => {
  const gathering = new Map<string, Gathering>()
  let unsaved: Unsaved = new Map()
  /** On its way into the database. */
  let writing: Unsaved = new Map()
  const closed = new AbortController()
  const minuteNow = (): number => Math.floor(clock.now() / minuteMs)
  let lastMinute = minuteNow()
  let isBusy = false

  const settle = (device: string, one: Gathering): void =>
    putMinute(entryOf(unsaved, hourOf(one.minute), device), one.minute, meansOf(one))

  /** Ends the minutes under way but this one, at most so many of them. Says whether that was all. */
  const settleBut = (minute: number | undefined, most: number): boolean => {
    let room = most
    for (const [device, one] of gathering) {
      if (one.minute === minute) continue
      if (room-- <= 0) return false
      settle(device, one)
      gathering.delete(device)
    }
    return true
  }

  const settleAll = async (minute: number): Promise<void> => {
    while (!settleBut(minute, mostSettled) && !closed.signal.aborted) await sleep(clock, pauseMs, closed.signal)
    // Of what could not be stored the oldest goes first.
    for (const hour of [...unsaved.keys()].sort((a, b) => a - b).slice(0, -mostUnsaved)) unsaved.delete(hour)
  }

  const store = (rows: Unsaved): void => {
    for (const [hour, devices] of rows)
      for (const [device, minutes] of devices) table.put({ hour, device, minutes: merged(table.get(hour, device), minutes) })
  }

  /** All that is not saved, in slices, in the order in which they lie on the disk. */
  const slices = function* (): Generator<Unsaved> {
    for (const hour of [...unsaved.keys()].sort((a, b) => a - b)) {
      const names = [...(unsaved.get(hour)?.keys() ?? [])].sort()
      for (let i = 0; i < names.length; i += mostRows) {
        const slice: Unsaved = new Map()
        for (const name of names.slice(i, i + mostRows)) {
          const minutes = take(unsaved, hour, name)
          // It may have been removed meanwhile.
          if (minutes) entryOf(slice, hour, name).set(minutes)
        }
        yield slice
      }
    }
  }

  const saveAll = async (): Promise<void> => {
    for (const slice of slices()) {
      if (closed.signal.aborted) return putBack(slice)
      writing = slice
      try {
        await commits.run(() => store(slice), 'process')
        writing = new Map()
      } catch (error) {
        putBack(slice)
        throw error
      }
      await sleep(clock, pauseMs, closed.signal)
    }
  }

  /** What could not be stored is not saved yet; what has come since is newer. */
  const putBack = (slice: Unsaved): void => {
    writing = new Map()
    for (const [hour, devices] of slice)
      for (const [device, minutes] of devices) {
        const newer = unsaved.get(hour)?.get(device)
        entryOf(unsaved, hour, device).set(merged(minutes, newer))
      }
  }

  const removeOld = async (): Promise<void> => {
    const before = hourOf(Math.floor((clock.now() - keepMs) / minuteMs))
    while (!closed.signal.aborted) {
      const removed = await commits.run(() => table.removeBefore(before, mostRows), 'process')
      if (removed < mostRows) return
      await sleep(clock, pauseMs, closed.signal)
    }
  }

  const timer = every(clock, lookEveryMs, () => {
    const minute = minuteNow()
    if (minute === lastMinute || isBusy) return
    lastMinute = minute
    isBusy = true
    settleAll(minute)
      .then(saveAll)
      .then(removeOld)
      .catch((error: unknown) => {
        if (!closed.signal.aborted) log.warn({ err: error }, 'metrics of devices could not be stored; tried again in a minute')
      })
      .finally(() => {
        isBusy = false
      })
  })

  return {
    keepMs,
    /** A device has said how busy it is. */
    heard: (device: string, metrics: NonNullable<Heartbeat['metrics']>): void => {
      const minute = minuteNow()
      let one = gathering.get(device)
      if (one?.minute !== minute) {
        if (one) settle(device, one)
        one = { minute, sums: figures.map(() => 0), counts: figures.map(() => 0) }
        gathering.set(device, one)
      }
      add(one, sampleOf(metrics))
    },
    /** What of these devices is not stored yet. */
    fresh: (devices: readonly string[]): Fresh => {
      const found: Fresh = new Map()
      for (const device of devices) {
        const hours = new Map<number, Hour>()
        for (const rows of [writing, unsaved])
          for (const [hour, row] of rows) {
            const minutes = row.get(device)
            if (minutes) hours.set(hour, merged(hours.get(hour), minutes))
          }
        const now = gathering.get(device)
        if (now) {
          const hour = hours.get(hourOf(now.minute)) ?? emptyHour()
          putMinute(hour, now.minute, meansOf(now))
          hours.set(hourOf(now.minute), hour)
        }
        if (hours.size > 0) found.set(device, hours)
      }
      return found
    },
    /** A device was removed: nothing of it stays. */
    forget: async (device: string): Promise<void> => {
      gathering.delete(device)
      for (const devices of unsaved.values()) devices.delete(device)
      try {
        for (let behind: number | undefined = -1; behind !== undefined && !closed.signal.aborted; ) {
          const from: number = behind
          behind = await commits.run(() => table.removeDevice(device, from, mostHours), 'process')
          if (behind !== undefined) await sleep(clock, pauseMs, closed.signal)
        }
      } catch (error) {
        log.warn({ err: error, device }, 'metrics of a removed device could not be deleted; they go when they are old')
      }
    },
    /** What is in memory goes into the next commit, whole. */
    close: (): void => {
      if (closed.signal.aborted) return
      closed.abort()
      timer.cancel()
      settleBut(undefined, gathering.size)
      const rest = unsaved
      unsaved = new Map()
      if (rest.size > 0)
        commits
          .run(() => store(rest), 'process')
          .catch((error: unknown) => log.warn({ err: error }, 'the last metrics of devices could not be stored'))
    },
  }
}
export type MetricsHistory = ReturnType<typeof startMetricsHistory>

const add = (one: Gathering, sample: Sample): void =>
  sample.forEach((value, i) => {
    if (value === null) return
    one.sums[i] = (one.sums[i] ?? 0) + value
    one.counts[i] = (one.counts[i] ?? 0) + 1
  })

const meansOf = ({ sums, counts }: Gathering): Sample =>
  figures.map((_, i) => {
    const count = counts[i] ?? 0
    return count > 0 ? (sums[i] ?? 0) / count : null
  })

const take = (rows: Unsaved, hour: number, device: string): Hour | undefined => {
  const devices = rows.get(hour)
  const minutes = devices?.get(device)
  devices?.delete(device)
  if (devices?.size === 0) rows.delete(hour)
  return minutes
}

const entryOf = (rows: Unsaved, hour: number, device: string): Hour => {
  const devices = rows.get(hour) ?? new Map<string, Hour>()
  rows.set(hour, devices)
  const minutes = devices.get(device) ?? emptyHour()
  devices.set(device, minutes)
  return minutes
}
