import { isEvents } from '../../schemas/sources.ts'
import { type Chunk, createEncoder, type Encoder } from './encoder.ts'
import { readSegment, type SpoolSegment } from './log-segments.ts'
import { createNumbering, type LogLimits, type LogState, type Numbering } from './numbering.ts'
import type { Segments } from './segments.ts'

export interface LogReadingDeps {
  run: string
  segments: Segments
  limits: LogLimits
  /** What there is of the log now. */
  spool: () => readonly SpoolSegment[]
}

/** Reads the spool of one run from a number on, and encodes it: bytes become records here, the same ones each time. */
export const createLogReading = ({ run, segments, limits, spool }: LogReadingDeps) => {
  let reading: Reading | undefined

  const start = (after: number): Reading => {
    const parts = spool()
    const from = parts.findLastIndex((one) => one.first <= after)
    const index = parts[Math.max(0, from)]?.index ?? 0
    return { index, position: 0, after, numbering: undefined, encoder: createEncoder(after, isEvents(run)) }
  }

  /** Each segment begins with how things stand. Where that is further than the one before could be read, the rest of it is damaged. */
  const goOnFrom = (one: Reading, at: number, state: LogState): void => {
    const { seq, lines, bytes } = one.numbering?.state() ?? state
    const dropped = { from: seq + 1, to: state.seq, lines: state.lines - lines, bytes: state.bytes - bytes, reason: 'damaged' }
    if (seq < state.seq) one.numbering?.take({ kind: 'gap', at, dropped })
    one.numbering = createNumbering(limits, state, one.encoder)
  }

  /** Reads a little on. False at the end of what there is. */
  const readOn = (one: Reading): boolean => {
    const parts = spool()
    const at = parts.findIndex((segment) => segment.index >= one.index)
    const segment = parts[at]
    if (!segment) return false
    if (segment.index > one.index) Object.assign(one, { index: segment.index, position: 0 })
    const name = { run, index: one.index }
    const length =
      one.position >= segment.size
        ? 0
        : readSegment(segments, name, one.position, (frame) => {
            if (frame.kind === 'state') goOnFrom(one, frame.at, frame.state)
            else one.numbering?.take(frame)
          })
    one.position += length
    const next = parts[at + 1]
    if (length > 0) return true
    if (!next) return false
    Object.assign(one, { index: next.index, position: 0 })
    return true
  }

  return {
    /** The next part after a number, as large as a message takes; undefined when there is none. Quick for the one after the last. */
    after: (seq: number): Chunk | undefined => {
      if (reading?.after !== seq) reading = start(seq)
      const { encoder } = reading
      let chunk = encoder.next(false)
      while (!chunk && readOn(reading)) chunk = encoder.next(false)
      chunk ??= encoder.next(true)
      if (chunk) reading.after = chunk.last
      return chunk
    },
    /** Segments have gone: what was read of them is void. */
    forget: (): void => {
      reading = undefined
    },
  }
}
export type LogReading = ReturnType<typeof createLogReading>

/** How far the spool has been read. */
interface Reading {
  index: number
  position: number
  /** The last number given out. */
  after: number
  /** From the first segment on. */
  numbering: Numbering | undefined
  encoder: Encoder
}
