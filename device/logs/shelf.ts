import type { Clock } from '../../base/clock.ts'
import { isEvents, runOfSource, streamOf } from '../../schemas/sources.ts'
import type { Options } from '../../schemas/task.ts'
import { type Journal, ordersOf } from '../journal.ts'
import { openRunLog, type RunLog } from './run-log.ts'
import type { Segment, Segments } from './segments.ts'

export interface ShelfDeps {
  segments: Segments
  journal: Journal
  clock: Clock
  now: () => number
  /** How many bytes of logs may lie on this device. */
  budget: () => number
  /** The log of this run has something to send, or room again. */
  changed: (run: string) => void
  report: (error: unknown) => void
}

/** How long a log is kept that the controller has: it may lose its copy, and ask. */
const keepMs = 24 * 3600 * 1000

/**
 * The logs of all runs on a device, and the events of agents, each by its source. Those that are not acknowledged are open; the others are kept for a while, as far as the budget
 * goes. Over the budget what the controller has goes first, and then, counted, the oldest part of the largest log.
 */
export const createShelf = (deps: ShelfDeps) => {
  const { segments, journal, clock } = deps
  const open = new Map<string, RunLog>()
  /** Acknowledged and ended, oldest first. */
  const kept = new Map<string, Segment[]>()
  let isShedding = false
  /** Of those that are kept, the one that was asked for last. */
  let reopened: RunLog | undefined

  const openLog = (run: string, options: Options, found: readonly Segment[]): RunLog => {
    const log = openRunLog({
      run,
      options,
      segments,
      found,
      clock,
      now: deps.now,
      acked: journal.stream(streamOf(run)).acked,
      changed: () => deps.changed(run),
      grown: shedSoon,
      report: deps.report,
    })
    open.set(run, log)
    return log
  }

  /** A log that is kept, to be read once more. */
  const reopen = (run: string): RunLog | undefined => {
    if (reopened?.run === run) return reopened
    const found = kept.get(run)
    const row = journal.run(runOfSource(run))
    if (!found || !row) return undefined
    // Its options say where lines are cut: without them its records could not be had again.
    const options = ordersOf(row).options ?? {}
    const { acked } = journal.stream(streamOf(run))
    const quiet = { changed: () => {}, grown: () => {}, report: deps.report }
    reopened = openRunLog({ run, options, segments, found, clock, now: deps.now, acked, ...quiet })
    return reopened
  }

  const bytesOf = (parts: readonly Segment[]): number => parts.reduce((sum, one) => sum + one.size, 0)
  const openBytes = (): number => [...open.values()].reduce((sum, one) => sum + one.bytes(), 0)
  let keptBytes = 0

  const keep = (run: string, parts: Segment[]): void => {
    if (parts.length === 0) return
    kept.set(run, parts)
    keptBytes += bytesOf(parts)
  }
  const forget = (run: string): number => {
    const parts = kept.get(run) ?? []
    if (reopened?.run === run) reopened = undefined
    for (const one of parts) segments.remove(one)
    kept.delete(run)
    keptBytes -= bytesOf(parts)
    return bytesOf(parts)
  }

  const shed = (): void => {
    isShedding = false
    try {
      for (let over = openBytes() + keptBytes - deps.budget(); over > 0; ) {
        const freed = freeSome()
        if (freed <= 0) return
        over -= freed
      }
    } catch (error) {
      deps.report(error)
    }
  }

  function shedSoon(): void {
    if (isShedding) return
    isShedding = true
    clock.soon(shed)
  }

  const freeSome = (): number => {
    for (const run of kept.keys()) return forget(run)
    for (const log of open.values()) {
      const freed = log.dropAcknowledged()
      if (freed > 0) return freed
    }
    for (const log of [...open.values()].sort((a, b) => b.bytes() - a.bytes())) {
      const freed = log.shed()
      if (freed > 0) return freed
    }
    return 0
  }

  return {
    /** The log of a run that begins or goes on. */
    open: (run: string, options: Options): RunLog => open.get(run) ?? openLog(run, options, []),
    get: (run: string): RunLog | undefined => open.get(run),
    /** A log that is still here, acknowledged or not. */
    lookUp: (run: string): RunLog | undefined => open.get(run) ?? reopen(run),
    /** Those of which something is not acknowledged. */
    unsent: (): RunLog[] => {
      const logs = [...open.values()].filter((log) => log.acked() < log.last())
      // Events go before lines: they are fewer, and somebody may have to answer.
      return [...logs.filter(({ run }) => isEvents(run)), ...logs.filter(({ run }) => !isEvents(run))]
    },
    last: (run: string): number => open.get(run)?.last() ?? journal.stream(streamOf(run)).last,
    acked: (run: string): number => open.get(run)?.acked() ?? journal.stream(streamOf(run)).acked,
    /** Inside a transaction: the controller has a log up to `seq`. An older or impossible word changes nothing. */
    acknowledge: (run: string, seq: number): boolean => {
      const log = open.get(run)
      if (!log?.acknowledge(seq)) return false
      journal.setAcked(streamOf(run), seq)
      return true
    },
    /** A commit has failed: what was remembered of it is void. */
    forgetUncommitted: (): void => {
      for (const log of open.values()) log.setAcked(journal.stream(streamOf(log.run)).acked)
    },
    /** All of an ended run is acknowledged. */
    settled: (run: string): void => {
      const log = open.get(run)
      if (!log) return
      log.release()
      log.seal()
      open.delete(run)
      keep(run, log.parts(clock.now()))
      shedSoon()
    },
    /** Takes up what an earlier daemon has left: `optionsOf` gives the options of a run that is open, null of one that is done. */
    recover: (optionsOf: (run: string) => Options | null | undefined): void => {
      const found = new Map<string, Segment[]>()
      for (const one of segments.list()) found.set(one.run, [...(found.get(one.run) ?? []), one])
      const byAge = [...found].sort(([, a], [, b]) => (a[0]?.at ?? 0) - (b[0]?.at ?? 0))
      for (const [run, parts] of byAge) {
        const options = optionsOf(runOfSource(run))
        if (options) openLog(run, options, parts)
        else if (options === null) keep(run, parts)
        // Of a memory that is gone: nobody will ask for it.
        else for (const one of parts) segments.remove(one)
      }
    },
    /** Sheds what is over the budget and forgets what has been kept long enough. */
    tidy: (): void => {
      for (const [run, parts] of kept) if (clock.now() - (parts.at(-1)?.at ?? 0) > keepMs) forget(run)
      shed()
    },
    unacknowledgedBytes: (): number => [...open.values()].reduce((sum, one) => sum + one.unacknowledgedBytes(), 0),
    release: (): void => {
      for (const log of open.values()) log.release()
      open.clear()
    },
  }
}
export type Shelf = ReturnType<typeof createShelf>
