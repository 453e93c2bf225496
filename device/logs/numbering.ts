import { isUtf8 } from 'node:buffer'
import type { LogRecord, LogText } from '../../schemas/log.ts'
import { type CutterLimits, type CutterState, createCutter, freshCutter } from './cutter.ts'
import type { Frame } from './frames.ts'

/** How far a log has come. What a run's end tells of it is taken from here. */
export interface LogState {
  seq: number
  lines: number
  bytes: number
  dropped_lines: number
  dropped_bytes: number
  /** The limit on output was reached: what has been counted since, and not been told yet. */
  over: { lines: number; bytes: number } | null
  o: CutterState
  e: CutterState
}

export const freshLog: LogState = {
  seq: 0,
  lines: 0,
  bytes: 0,
  dropped_lines: 0,
  dropped_bytes: 0,
  over: null,
  o: freshCutter,
  e: freshCutter,
}

/** Where numbered records go. */
export interface Numbered {
  /** Whole lines as they came, `count` of them, numbered from `first` on. */
  lines(first: number, at: number, stream: 'o' | 'e', bytes: Buffer, count: number): void
  record(record: LogRecord, lines: number, bytes: number): void
}

export interface LogLimits extends CutterLimits {
  maxOutputBytes: number
}

export interface Numbering {
  take(frame: Frame): void
  state(): LogState
  seq(): number
  /** What is to become of the next bytes of a stream: kept, or only counted. */
  fate(stream: 'o' | 'e'): 'keep' | 'skip' | 'over'
  /** The streams of which a line has begun that nobody has seen yet. */
  waiting(): ('o' | 'e')[]
  /** Whether an end would add anything. */
  hasMore(): boolean
}

const newline = 10

/** Makes records of frames: cuts lines, numbers them, keeps the limits. Deterministic: it is done again whenever they are sent again. */
export const createNumbering = (limits: LogLimits, from: LogState, to: Numbered): Numbering => {
  let { seq, lines, bytes, dropped_lines, dropped_bytes } = from
  let over = from.over && { ...from.over }
  let at = 0

  const piecesOf = (stream: 'o' | 'e') => ({
    lines: (part: Buffer, count: number): void => {
      if (over || bytes + part.length > limits.maxOutputBytes) return oneByOne(stream, part)
      to.lines(seq + 1, at, stream, part, count)
      seq += count
      lines += count
      bytes += part.length
    },
    line: (body: Buffer, goesOn: boolean): void => {
      const size = body.length + (goesOn ? 0 : 1)
      if (over || bytes + size > limits.maxOutputBytes) return exceed(goesOn ? 0 : 1, size)
      const more = goesOn ? 0 : 1
      lines += more
      bytes += size
      seq++
      to.record(goesOn ? [seq, at, stream, textOf(body), 1] : [seq, at, stream, textOf(body)], more, size)
    },
    dropped: (size: number, more: 0 | 1): void => {
      if (over) return exceed(more, size)
      dropped_lines += more
      dropped_bytes += size
      seq++
      to.record([seq, at, stream, droppedAt(seq, more, size, 'line_too_long')], 0, 0)
    },
  })
  const cutters = {
    o: createCutter(limits, from.o, piecesOf('o')),
    e: createCutter(limits, from.e, piecesOf('e')),
  }

  const oneByOne = (stream: 'o' | 'e', part: Buffer): void => {
    for (let start = 0; start < part.length; ) {
      const end = part.indexOf(newline, start)
      piecesOf(stream).line(part.subarray(start, end), false)
      start = end + 1
    }
  }

  /** From the first piece that does not fit nothing is kept: a shorter one behind it would hide the hole. */
  const exceed = (moreLines: number, moreBytes: number): void => {
    if (!over) {
      over = { lines: 0, bytes: 0 }
      const text = `output limit of ${limits.maxOutputBytes} bytes reached; what follows is counted, not kept`
      to.record([++seq, at, 's', text], 0, 0)
    }
    over.lines += moreLines
    over.bytes += moreBytes
    dropped_lines += moreLines
    dropped_bytes += moreBytes
  }

  return {
    take: (frame) => {
      at = frame.at
      switch (frame.kind) {
        case 'o':
        case 'e':
          return cutters[frame.kind].push(frame.bytes)
        case 'flush':
          for (const stream of frame.streams) cutters[stream].flush()
          return
        case 'end':
          cutters.o.end()
          cutters.e.end()
          if (over && (over.lines > 0 || over.bytes > 0)) {
            seq++
            to.record([seq, at, 's', droppedAt(seq, over.lines, over.bytes, 'output_limit')], 0, 0)
            over = { lines: 0, bytes: 0 }
          }
          return
        case 'say':
          return to.record([++seq, at, 's', frame.text], 0, 0)
        case 'skip':
          return cutters[frame.stream].skip(frame.bytes, frame.isWhole)
        case 'over': {
          const held = cutters.o.abandon() + cutters.e.abandon()
          return exceed(frame.lines, frame.bytes + held)
        }
        case 'lost': {
          const from = seq + 1
          // Of what is damaged each byte may have been a record that was sent: none of their numbers is used again.
          seq += frame.reason === 'damaged' ? frame.bytes : 1
          dropped_bytes += frame.bytes
          const reason = frame.reason ?? 'interrupted'
          return to.record([seq, at, 's', { dropped: { from, to: seq, lines: 0, bytes: frame.bytes, reason } }], 0, 0)
        }
        case 'gap':
          seq = frame.dropped.to
          return to.record([seq, at, 's', { dropped: frame.dropped }], 0, 0)
        case 'state':
          // It begins every segment, and says what the segment before has come to.
          return
      }
    },
    state: () => ({ seq, lines, bytes, dropped_lines, dropped_bytes, over, o: cutters.o.state(), e: cutters.e.state() }),
    seq: () => seq,
    fate: (stream) => (over ? 'over' : cutters[stream].isDropping() ? 'skip' : 'keep'),
    waiting: () => (['o', 'e'] as const).filter((stream) => cutters[stream].isWaiting()),
    hasMore: () => {
      const { o, e } = { o: cutters.o.state(), e: cutters.e.state() }
      const isOver = over !== null && (over.lines > 0 || over.bytes > 0)
      return isOver || [o, e].some((one) => one.held.length > 0 || (one.dropping ?? 0) > 0)
    },
  }
}

const droppedAt = (seq: number, lines: number, bytes: number, reason: string): LogText => ({
  dropped: { from: seq, to: seq, lines, bytes, reason },
})

const textOf = (body: Buffer): string | { b64: string } =>
  isUtf8(body) ? body.toString('utf8') : { b64: body.toString('base64') }
