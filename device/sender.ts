import { doublingMs } from '../base/backoff.ts'
import type { Bus } from '../base/bus.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { LogHead } from '../schemas/exchange.ts'
import { isEvents, runOfSource, sourceOf, streamOf } from '../schemas/sources.ts'
import { topicOf } from '../schemas/topics.ts'
import type { Journal, JournalRecord } from './journal.ts'
import type { Chunk } from './logs/encoder.ts'
import { createReturns, type Range } from './logs/returns.ts'
import type { Shelf } from './logs/shelf.ts'

export interface SenderDeps {
  fleet: string
  device: string
  bus: Bus
  journal: Journal
  shelf: Shelf
  clock: Clock
  boot: string
  session: () => number
}

/** How much of the logs may be on its way without an acknowledgement. */
const windowBytes = 4 * 1024 * 1024
const changesPerMessage = 100
/** Of changes in one message: a reason may be as long as the command that could not be found. */
const maxChangesBytes = 96 * 1024
const backlogLimitBytes = 1024 * 1024
const backlogRestMs = 5
/** So long at most logs are encoded before others have their turn. */
const sliceMs = 10

interface Progress {
  sent: number
  /** What is on its way: sequence number and size of each message. */
  flight: { seq: number; bytes: number }[]
  bytes: number
  /** When this stream is sent again from its cursor on, if nothing is acknowledged before. */
  againAt: number
  tries: number
  rewoundAt: number
}

/**
 * Sends the streams of the journal in order: runs before logs, so that a flood delays no result. What is not acknowledged within
 * 10 s (doubling to 60) is sent again from the cursor on.
 */
export const createSender = ({ fleet, device, bus, journal, shelf, clock, boot, session }: SenderDeps) => {
  const progress = new Map<string, Progress>()
  const returns = createReturns(shelf, windowBytes)
  let isOpen = false
  let timer: Timer | undefined
  let pumpTimer: Timer | undefined
  let lastAckMono = clock.mono()

  const cursorOf = (name: string): { acked: number; last: number } => {
    const source = sourceOf(name)
    return source === undefined ? journal.stream(name) : { acked: shelf.acked(source), last: shelf.last(source) }
  }

  const progressOf = (name: string): Progress => {
    let one = progress.get(name)
    if (!one) {
      one = { sent: cursorOf(name).acked, flight: [], bytes: 0, againAt: Number.POSITIVE_INFINITY, tries: 0, rewoundAt: 0 }
      progress.set(name, one)
    }
    return one
  }

  const rewind = (name: string): void => {
    const one = progressOf(name)
    one.sent = cursorOf(name).acked
    one.flight = []
    one.bytes = 0
    one.rewoundAt = clock.mono()
  }

  const sentSome = (one: Progress, upTo: number, bytes: number): void => {
    if (one.againAt === Number.POSITIVE_INFINITY) one.againAt = clock.mono() + doublingMs(one.tries, 10_000, 60_000)
    if ([...progress.values()].every((other) => other.flight.length === 0)) lastAckMono = clock.mono()
    one.flight.push({ seq: upTo, bytes })
    one.sent = upTo
    one.bytes += bytes
  }

  const pumpRuns = (): void => {
    const one = progressOf('runs')
    for (;;) {
      const rows = fitting(journal.records('runs', one.sent, changesPerMessage))
      const last = rows.at(-1)
      if (!last) return
      const head = { journal: journal.id, session: session(), boot, mono_ms: clock.mono(), acked: journal.stream('runs').acked }
      const payload = `${JSON.stringify(head).slice(0, -1)},"changes":[${rows.map((row) => row.body).join(',')}]}`
      bus.publish(topicOf(fleet, 'deviceRun', { device }), payload, { qos: 1 })
      sentSome(one, last.seq, payload.length)
    }
  }

  const pumpSoon = (ms: number): void => {
    pumpTimer ??= clock.after(ms, () => {
      pumpTimer = undefined
      pump()
    })
  }

  const publishLog = (run: string, { body, ...covered }: Chunk, more: Partial<LogHead>): number => {
    const head = { journal: journal.id, source: run, ...covered, acked: shelf.acked(run), ...more }
    const payload = `${JSON.stringify(head).slice(0, -1)},"records":${body}}`
    const topic = isEvents(run)
      ? topicOf(fleet, 'deviceAgent', { device, run: runOfSource(run) })
      : topicOf(fleet, 'deviceLog', { device, source: run })
    bus.publish(topic, payload, { qos: 1 })
    return payload.length
  }

  /** Whether others have their turn first. */
  const mustRest = (since: number): boolean => {
    if (bus.backlogBytes() > backlogLimitBytes) pumpSoon(backlogRestMs)
    else if (clock.mono() - since >= sliceMs) pumpSoon(0)
    else return false
    return true
  }

  const pumpLogs = (): void => {
    const since = clock.mono()
    for (const log of shelf.unsent()) {
      const name = streamOf(log.run)
      const one = progressOf(name)
      while (one.bytes < windowBytes) {
        if (mustRest(since)) return
        const chunk = log.after(one.sent)
        if (!chunk) break
        sentSome(one, chunk.last, publishLog(log.run, chunk, {}))
      }
    }
    // What the controller has had before comes after what is new to it.
    for (;;) {
      if (mustRest(since)) return
      const part = returns.next()
      if (!part) return
      publishLog(part.run, part.chunk, { again: part.isLast ? 'end' : 'more' })
    }
  }

  const pump = (): void => {
    if (!isOpen) return
    pumpRuns()
    pumpLogs()
    timer ??= clock.after(1000, look)
  }

  /** Sends again what has waited too long for its acknowledgement. */
  const look = (): void => {
    timer = undefined
    if (!isOpen) return
    let isWaiting = false
    for (const [name, one] of progress) {
      const { acked, last } = cursorOf(name)
      if (acked >= last) {
        progress.delete(name)
        continue
      }
      isWaiting = true
      if (clock.mono() < one.againAt) continue
      one.tries += 1
      one.againAt = Number.POSITIVE_INFINITY
      rewind(name)
    }
    if (isWaiting) pump()
  }

  return {
    pump,
    /** A new welcome: everything that is not acknowledged goes out again. */
    startAnew: (): void => {
      isOpen = true
      lastAckMono = clock.mono()
      progress.clear()
      returns.clear()
      pump()
    },
    /** The controller has lost parts of logs, and wants them again. */
    wanted: (logs: Readonly<Record<string, readonly Range[]>>): void => {
      for (const [stream, ranges] of Object.entries(logs)) {
        const source = sourceOf(stream)
        if (source !== undefined) returns.want(source, ranges)
      }
      pump()
    },
    acknowledged: (streams: readonly string[], again: readonly string[]): void => {
      lastAckMono = clock.mono()
      for (const name of streams) {
        const one = progressOf(name)
        const { acked } = cursorOf(name)
        if (acked > one.sent) one.sent = acked
        one.tries = 0
        while (one.flight[0] && one.flight[0].seq <= acked) one.bytes -= one.flight.shift()?.bytes ?? 0
        one.againAt = acked < one.sent ? clock.mono() + 10_000 : Number.POSITIVE_INFINITY
        // A gap is reported once for every message behind it: go back once.
        if (again.includes(name) && clock.mono() - one.rewoundAt > 250) rewind(name)
      }
      pump()
    },
    /** Sends a part of a log that is kept here and followed elsewhere; false while that has to wait for something else. */
    show: (source: string, { body, ...covered }: Chunk): boolean => {
      if (!isOpen || bus.backlogBytes() > backlogLimitBytes) return false
      const head = JSON.stringify({ journal: journal.id, source, ...covered })
      bus.publish(topicOf(fleet, 'deviceLog', { device, source }), `${head.slice(0, -1)},"records":${body}}`, { qos: 1 })
      return true
    },
    pause: (): void => {
      isOpen = false
      timer?.cancel()
      timer = undefined
      pumpTimer?.cancel()
      pumpTimer = undefined
    },
    isFlowing: (): boolean =>
      isOpen && (clock.mono() - lastAckMono < 15_000 || [...progress.values()].every((one) => one.flight.length === 0)),
  }
}
export type Sender = ReturnType<typeof createSender>

/** As many of the first as fit in a message, and one at least. */
const fitting = (rows: readonly JournalRecord[]): readonly JournalRecord[] => {
  let bytes = 0
  const end = rows.findIndex((row, i) => {
    bytes += Buffer.byteLength(row.body) + 1
    return i > 0 && bytes > maxChangesBytes
  })
  return end < 0 ? rows : rows.slice(0, end)
}
