import { type Dropped, isDrop } from '../../schemas/log.ts'
import { encodeFrame } from './frames.ts'
import { readSegment, type SpoolSegment } from './log-segments.ts'
import { createNumbering, freshLog, type LogLimits, type LogState, type Numbered } from './numbering.ts'
import type { Segments } from './segments.ts'

export interface Shedding {
  segments: Segments
  run: string
  limits: LogLimits
  /** The segments that go. */
  gone: readonly SpoolSegment[]
  /** The last number in them. */
  until: number
  acked: number
  at: number
}

/** The segment that takes the place of others: it counts exactly what of them the controller has not got. */
export const gapOf = ({
  segments,
  run,
  limits,
  gone,
  until,
  acked,
  at,
}: Shedding): { first: number; bytes: Buffer } | undefined => {
  const first = Math.max(acked, gone[0]?.first ?? 0)
  if (until <= first) return undefined
  const tally = createTally(first)
  let state: LogState | undefined
  for (const { index, size } of gone) {
    let numbering = createNumbering(limits, freshLog, tally)
    for (let position = 0; position < size; ) {
      const length = readSegment(segments, { run, index }, position, (frame) => {
        if (frame.kind === 'state') {
          state ??= frame.state
          numbering = createNumbering(limits, frame.state, tally)
        } else numbering.take(frame)
      })
      if (length === 0) break
      position += length
    }
  }
  if (!state) return undefined
  const dropped: Dropped = { from: first + 1, to: until, ...tally.sum, reason: 'spool_full' }
  const index = gone.at(-1)?.index ?? 0
  const head = encodeFrame({ kind: 'state', at, run, index, state: { ...state, seq: first } })
  return { first, bytes: Buffer.concat([...head, ...encodeFrame({ kind: 'gap', at, dropped })]) }
}

/** Counts the records after a number, and what they count as dropped themselves. */
const createTally = (after: number): Numbered & { sum: { lines: number; bytes: number } } => {
  const sum = { lines: 0, bytes: 0 }
  return {
    sum,
    lines: (first, _at, _stream, part, count) => {
      let start = 0
      let skipped = 0
      for (; skipped < count && first + skipped <= after; skipped++) start = part.indexOf(10, start) + 1
      sum.lines += count - skipped
      sum.bytes += part.length - start
    },
    record: ([seq, , , text], lines, bytes) => {
      if (seq <= after) return
      const dropped = isDrop(text) ? text.dropped : { lines: 0, bytes: 0 }
      sum.lines += lines + dropped.lines
      sum.bytes += bytes + dropped.bytes
    },
  }
}
