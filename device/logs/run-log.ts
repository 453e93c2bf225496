import type { Clock, Timer } from '../../base/clock.ts'
import { maxEventBytes } from '../../schemas/agent-events.ts'
import { maxRecordBytes } from '../../schemas/log.ts'
import { isEvents } from '../../schemas/sources.ts'
import { type Options, optionDefaults } from '../../schemas/task.ts'
import type { Chunk } from './encoder.ts'
import { encodeFrame, type Frame } from './frames.ts'
import { createLogReading } from './log-reading.ts'
import { headOf, recoverSegments, type SpoolSegment } from './log-segments.ts'
import { createNumbering, type LogLimits, type LogState } from './numbering.ts'
import type { Segment, Segments } from './segments.ts'
import { gapOf } from './shedding.ts'

export interface RunLogDeps {
  run: string
  options: Options
  segments: Segments
  /** What an earlier daemon has left of it. */
  found: readonly Segment[]
  clock: Clock
  /** The time that is written on records: the controller's, as the device carries it on. */
  now: () => number
  /** How far the controller has it. */
  acked: number
  /** There is something to send, or room again. */
  changed: () => void
  /** A segment was begun: the spool has grown. */
  grown: () => void
  report: (error: unknown) => void
  /** How large a file may become; asked for each that is begun. */
  segmentBytes?: () => number
}

/** What is shown at once is worth a wait of this long for company. */
const gatherMs = 50
/** With this much waiting it is sent at once. */
const sendAtBytes = 64 * 1024
/** Small enough that one is read through in a few milliseconds. */
const usualSegmentBytes = 2 * 1024 * 1024
const maxFrameBytes = 64 * 1024
const retryMs = 1000
/** Who fills a whole pipe is in the middle of it, however long the machine keeps it waiting: its lines are not torn. */
const fullReadBytes = 32 * 1024
const floodRestMs = 1000

export const limitsOf = (options: Options): LogLimits => ({
  maxRecordBytes,
  maxLineBytes: options.max_line_bytes ?? optionDefaults.max_line_bytes,
  maxOutputBytes: options.max_output_bytes ?? optionDefaults.max_output_bytes,
})

/**
 * The log of one run on its device. What the program writes goes into the spool as it was read, at once; it is cut into lines,
 * numbered and encoded only when it is sent, and again, with the same result, whenever it is sent again.
 */
export const openRunLog = (deps: RunLogDeps) => {
  const { run, segments, clock, segmentBytes = () => usualSegmentBytes } = deps
  const limits = isEvents(run) ? { ...limitsOf({}), maxRecordBytes: maxEventBytes } : limitsOf(deps.options)
  const recovered = recoverSegments(segments, run, limits, deps.found)
  let spool: SpoolSegment[] = recovered.spool
  let acked = deps.acked
  // After a power cut less may be here than the controller has: its numbers are not used again.
  const isBehind = recovered.state.seq < acked
  const state = isBehind ? { ...recovered.state, seq: acked } : recovered.state
  const numbering = createNumbering(limits, state, nowhere)
  let mustBegin = isBehind
  let mostBytes = segmentBytes()
  /** What an earlier daemon lost of it, until that is written down. */
  let owed: Frame | undefined = isBehind ? undefined : recovered.lost
  /** Read, but there was no room to write it. */
  const pending: { stream: 'o' | 'e'; bytes: Buffer }[] = []
  let unsentBytes = 0
  const heard = { o: 0, e: 0 }
  let isHeld = false
  let isReleased = false
  let timer: Timer | undefined
  let retry: Timer | undefined
  const sending = createLogReading({ run, segments, limits, spool: () => spool })
  const returning = createLogReading({ run, segments, limits, spool: () => spool })
  const forgetReadings = (): void => {
    sending.forget()
    returning.forget()
  }

  const payOff = (): void => {
    if (!owed) return
    write(owed)
    owed = undefined
  }
  const add = (frame: Frame): void => {
    payOff()
    write(frame)
  }
  const write = (frame: Frame): void => {
    const parts = encodeFrame(frame)
    const newest = spool.at(-1)
    if (newest && !mustBegin && newest.size < mostBytes) {
      segments.append({ run, index: newest.index }, parts)
      newest.size += sizeOf(parts)
    } else begin(parts)
    numbering.take(frame)
  }

  const begin = (parts: readonly Uint8Array[]): void => {
    const index = (spool.at(-1)?.index ?? -1) + 1
    const state = numbering.state()
    const all = [...encodeFrame({ kind: 'state', at: deps.now(), run, index, state }), ...parts]
    segments.begin({ run, index }, all)
    spool.push({ index, first: state.seq, size: sizeOf(all), isGap: false })
    mustBegin = false
    mostBytes = segmentBytes()
    deps.grown()
  }

  // A transform of the bytes, such as one that hides secrets, belongs at the head of this: nothing has been written yet.
  const keep = (stream: 'o' | 'e', bytes: Buffer): void => {
    for (let rest = bytes; rest.length > 0; ) {
      const at = deps.now()
      const fate = numbering.fate(stream)
      let length = Math.min(rest.length, maxFrameBytes)
      if (fate === 'over') {
        length = rest.length
        add({ kind: 'over', at, lines: newlinesIn(rest), bytes: length })
      } else if (fate === 'skip') {
        const end = rest.indexOf(newline)
        length = end < 0 ? rest.length : end + 1
        add({ kind: 'skip', at, stream, bytes: length, isWhole: end >= 0 })
      } else add({ kind: stream, at, bytes: rest.subarray(0, length) })
      rest = rest.subarray(length)
      unsentBytes += length
      written = bytes.length - rest.length
    }
  }
  let written = 0

  const failed = (error: unknown): void => {
    deps.report(error)
    retry ??= clock.after(retryMs, () => {
      retry = undefined
      tryAgain()
    })
  }

  /** Writes what waits for room; the program waits as long. */
  const tryAgain = (): void => {
    try {
      payOff()
    } catch (error) {
      failed(error)
      return
    }
    for (let one = pending[0]; one; one = pending[0]) {
      written = 0
      try {
        keep(one.stream, one.bytes)
      } catch (error) {
        one.bytes = one.bytes.subarray(written)
        failed(error)
        return
      }
      pending.shift()
    }
    gather()
    deps.changed()
  }

  const gather = (): void => {
    timer ??= clock.after(gatherMs, () => {
      timer = undefined
      unsentBytes = 0
      // First whatever has arrived meanwhile is taken in: then it is known what is idle.
      clock.soon(() => {
        if (isReleased) return
        showBegun()
        deps.changed()
      })
    })
  }

  /** A line that has begun, such as a prompt, is given out when its stream is idle. */
  const showBegun = (): void => {
    const waiting = numbering.waiting()
    const idle = isHeld ? [] : waiting.filter((stream) => clock.mono() - heard[stream] >= gatherMs)
    if (waiting.length > idle.length) gather()
    if (idle.length === 0 || pending.length > 0) return
    try {
      add({ kind: 'flush', at: deps.now(), streams: idle })
    } catch {
      gather() // no room: what it stands for is in the spool, it is shown a little later
    }
  }

  if (owed) tryAgain()

  return {
    run,
    /** More of it will come: what the next write needs is at hand then. */
    prepare: (): void => {
      const newest = spool.at(-1)
      if (newest) segments.prepare({ run, index: newest.index })
    },
    /** Into the spool, in this call. What does not fit on the disk is held, and the program is to wait. */
    push: (stream: 'o' | 'e', bytes: Buffer): void => {
      heard[stream] = clock.mono() + (bytes.length >= fullReadBytes ? floodRestMs : 0)
      if (pending.length > 0) {
        pending.push({ stream, bytes: Buffer.from(bytes) })
        return
      }
      written = 0
      try {
        keep(stream, bytes)
      } catch (error) {
        pending.push({ stream, bytes: Buffer.from(bytes.subarray(written)) })
        failed(error)
        return
      }
      if (unsentBytes >= sendAtBytes) {
        unsentBytes = 0
        deps.changed()
        if (numbering.waiting().length === 0) return
      }
      gather()
    },
    /** Skein's own word in the log. */
    say: (text: string): void => {
      add({ kind: 'say', at: deps.now(), text })
      gather()
    },
    /** The program has ended: its last unfinished line is given as it is. Of a workload another run may follow. Throws while there is no room. */
    end: (): void => {
      timer?.cancel()
      timer = undefined
      if (pending.length > 0 || owed) throw new Error('Cannot end a log: there is no room for the rest of its output')
      if (numbering.hasMore()) add({ kind: 'end', at: deps.now() })
    },
    isFull: (): boolean => pending.length > 0,
    isEmpty: (): boolean => spool.length === 0,
    state: numbering.state,
    last: numbering.seq,
    acked: (): number => acked,
    /** The next part after a number, as large as a message takes; undefined when there is none yet. */
    after: (seq: number): Chunk | undefined => (seq >= numbering.seq() ? undefined : sending.after(seq)),
    /** The same for who asks for what was sent long ago: it does not disturb the sending. */
    again: (seq: number): Chunk | undefined => (seq >= numbering.seq() ? undefined : returning.after(seq)),
    /** The first number that is still here. */
    firstKept: (): number => (spool[0]?.first ?? 0) + 1,
    acknowledge: (seq: number): boolean => {
      if (seq <= acked || seq > numbering.seq()) return false
      acked = seq
      return true
    },
    /** How far the controller has it was stored; what was remembered beyond is void. */
    setAcked: (seq: number): void => {
      acked = seq
    },
    /** It ended with these numbers; what a power cut has taken of it is said. */
    reach: (end: Pick<LogState, 'seq' | 'lines' | 'bytes'>): void => {
      const { seq, lines, bytes } = numbering.state()
      if (seq >= end.seq) return
      const dropped = { from: seq + 1, to: end.seq, lines: end.lines - lines, bytes: end.bytes - bytes, reason: 'power_lost' }
      add({ kind: 'gap', at: deps.now(), dropped })
    },
    /** The files of it. */
    parts: (at: number): Segment[] => spool.map(({ index, size }) => ({ run, index, size, at })),
    bytes: (): number => spool.reduce((sum, one) => sum + one.size, 0),
    unacknowledgedBytes: (): number =>
      acked >= numbering.seq()
        ? 0
        : spool.reduce((sum, one, i) => sum + ((spool[i + 1]?.first ?? numbering.seq()) > acked ? one.size : 0), 0),
    /** Removes the oldest segment if the controller has all of it. Says how many bytes that freed. */
    dropAcknowledged: (): number => {
      const [oldest, next] = spool
      if (!oldest || !next || next.first > acked) return 0
      segments.remove({ run, index: oldest.index })
      spool = spool.slice(1)
      forgetReadings()
      return oldest.size
    },
    /** Removes the oldest segment, whoever has it or not, if there is a newer one. Says how many bytes that freed. */
    dropOldest: (): number => {
      const [oldest, next] = spool
      if (!oldest || !next) return 0
      segments.remove({ run, index: oldest.index })
      spool = spool.slice(1)
      forgetReadings()
      return oldest.size
    },
    /** The number before the first record of each segment. */
    marks: (): number[] => spool.map((one) => one.first),
    /** What all had come to before the first record that is still here. */
    before: (): Pick<LogState, 'seq' | 'lines' | 'bytes'> => {
      const [oldest] = spool
      return (oldest && headOf(segments, { run, index: oldest.index })) ?? { seq: 0, lines: 0, bytes: 0 }
    },
    /** Drops the oldest part; one record in its place counts what is gone. Says how many bytes that freed. */
    shed: (): number => {
      if (spool.length < 2) {
        if ((spool[0]?.size ?? 0) < minimumShed || pending.length > 0) return 0
        begin([])
      }
      const count = spool[0]?.isGap ? 2 : 1
      const gone = spool.slice(0, count)
      const until = spool[count]
      if (!until) return 0
      const gap = gapOf({ segments, run, limits, gone, until: until.first, acked, at: deps.now() })
      const last = gone.at(-1)
      if (!gap || !last) return 0
      segments.replace({ run, index: last.index }, gap.bytes)
      for (const one of gone.slice(0, -1)) segments.remove({ run, index: one.index })
      spool = [{ ...last, first: gap.first, size: gap.bytes.length, isGap: true }, ...spool.slice(count)]
      forgetReadings()
      return gone.reduce((sum, one) => sum + one.size, 0) - gap.bytes.length
    },
    seal: (): void => segments.seal(run),
    /** The program waits for us: nothing that it has begun is idle. */
    hold: (held: boolean): void => {
      isHeld = held
      heard.o = heard.e = clock.mono()
    },
    release: (): void => {
      isReleased = true
      timer?.cancel()
      retry?.cancel()
    },
  }
}
export type RunLog = ReturnType<typeof openRunLog>

const newline = 10
/** Below this nothing is gained by a record that says what is gone. */
const minimumShed = 4096
const nowhere = { lines: () => {}, record: () => {} }

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, one) => sum + one.length, 0)

const newlinesIn = (bytes: Buffer): number => {
  let count = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) count++
  return count
}
