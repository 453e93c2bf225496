import { doublingMs } from '../base/backoff.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { LogHead } from '../schemas/exchange.ts'
import { isEvents, runOfSource, streamOf } from '../schemas/sources.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'

export interface FetchingDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  clock: Clock
}

/**
 * Where the device of a run is: it can be asked; it was heard of a moment ago, and may be back soon; it is away; or it is gone, with
 * its memory of this run.
 */
export type Reach = 'ready' | 'soon' | 'away' | 'gone'

interface Asked {
  /** Up to here nothing is missing. */
  after: number
  /** What was acknowledged up to here, though less is stored. */
  upTo: number
  tries: number
  timer: Timer | undefined
}

/** So long after it was last heard of a device may be on its way back, as all are when a controller starts. */
const soonMs = 10_000
/** Of one log in one request. */
const mostRanges = 20

/**
 * Fetches from devices what the controller has lost of logs: they keep them for a while. One request for each run at a time; the device
 * answers it with a bounded part, and is asked for the rest.
 */
export const createFetching = ({ store, fleet, effects, clock }: FetchingDeps) => {
  const asked = new Map<string, Asked>()

  const reach = (run: RunRow): Reach => {
    const device = fleet.devices.get(run.device)
    if (!device || device.row.journal !== run.journal) return 'gone'
    if (device.isReady) return 'ready'
    return clock.mono() - device.heardAtMono < soonMs ? 'soon' : 'away'
  }

  const stop = (run: string): void => {
    asked.get(run)?.timer?.cancel()
    asked.delete(run)
  }

  const send = (id: string, one: Asked): void => {
    one.timer?.cancel()
    const run = store.runs.get(runOfSource(id))
    if (!run?.journal || reach(run) !== 'ready') return stop(id)
    const wanted = store.logs.holes(id, one.after, Math.max(one.upTo, isEvents(id) ? 0 : lastOf(run)), mostRanges)
    const [first] = wanted
    if (!first) return stop(id)
    if (first[0] > one.after + 1) one.tries = 0
    one.after = first[0] - 1
    effects.sendCommand(run.device, 'ack', { journal: run.journal, cursors: {}, wanted: { [streamOf(id)]: wanted } })
    one.timer = clock.after(doublingMs(one.tries++, 10_000, 60_000), () => send(id, one))
  }

  const ask = (id: string, upTo = 0): void => {
    if (asked.has(id)) return
    const one: Asked = { after: 0, upTo, tries: 0, timer: undefined }
    asked.set(id, one)
    send(id, one)
  }

  return {
    reach,
    /** Asks the device of a run for what is missing of its log, unless it was asked already. `upTo` is how far it had been acknowledged. */
    ask,
    /** A part of a log is stored; `leftHole` when it does not follow what was there. */
    took: ({ source, last, again }: LogHead, leftHole: boolean): void => {
      const one = asked.get(source)
      if (!one) {
        if (leftHole) ask(source)
        return
      }
      if (again === undefined) return
      one.timer?.cancel()
      one.timer = clock.after(doublingMs(one.tries, 10_000, 60_000), () => send(source, one))
      // An answer that brought nothing on is not asked for again at once.
      if (again === 'end' && last > one.after) send(source, one)
    },
    close: (): void => {
      for (const run of [...asked.keys()]) stop(run)
    },
  }
}
export type Fetching = ReturnType<typeof createFetching>

/** How far a log is known to go, by what its run's end has told. */
const lastOf = ({ log }: RunRow): number => (log === null ? 0 : (JSON.parse(log) as { last_seq: number }).last_seq) // stored from a checked report
