import { type Frame, frameHead, headerBytes, readFrame } from './frames.ts'
import { createNumbering, freshLog, type LogLimits, type LogState } from './numbering.ts'
import type { Segment, SegmentName, Segments } from './segments.ts'

/** A segment of a log: `first` is the number before its first record, `isGap` that it only counts what had to go. */
export interface SpoolSegment {
  index: number
  first: number
  size: number
  isGap: boolean
}

// All readers share it: nobody keeps bytes beyond the call. Larger than any frame.
const buffer = Buffer.allocUnsafeSlow(192 * 1024)

/** Hands out whole frames from a position on, as many as are read at once. Says how many bytes they take; 0 at the end, and at what is no frame. */
export const readSegment = (segments: Segments, name: SegmentName, position: number, take: (frame: Frame) => void): number => {
  const bytes = buffer.subarray(0, segments.read(name, position, buffer))
  let at = 0
  for (let one = readFrame(bytes, at); one; one = readFrame(bytes, at)) {
    take(one.frame)
    at += one.length
  }
  return at
}

/** How things stood at the beginning of a segment; undefined if that cannot be read. */
export const headOf = (segments: Segments, name: SegmentName): LogState | undefined => {
  const head: Frame[] = []
  readSegment(segments, name, 0, (frame) => head.length < 1 && head.push(frame))
  return head[0]?.kind === 'state' ? head[0].state : undefined
}

/**
 * What an earlier daemon has left of a log, and where it stands. Of the newest segment the last frame may be torn by a kill, and anything
 * by the disk: it is kept up to there, and `lost` says what was behind it. In an older one that shows when it is read.
 */
export const recoverSegments = (
  segments: Segments,
  run: string,
  limits: LogLimits,
  found: readonly Segment[],
): { spool: SpoolSegment[]; state: LogState; lost: Frame | undefined } => {
  const { spool, goneBytes } = readHeads(segments, run, found)
  const newest = spool.at(-1)
  let numbering = createNumbering(limits, freshLog, nowhere)
  let at = found.at(-1)?.at ?? 0
  const take = (frame: Frame): void => {
    at = frame.at
    if (frame.kind === 'state') numbering = createNumbering(limits, frame.state, nowhere)
    else numbering.take(frame)
  }
  const left = (bytes: number, reason: 'interrupted' | 'damaged') => ({
    ...{ spool, state: numbering.state() },
    lost: bytes > 0 ? ({ kind: 'lost', at, bytes, reason } as const) : undefined,
  })
  if (!newest) return left(goneBytes, 'damaged')
  const name = { run, index: newest.index }
  let position = 0
  for (let length = readSegment(segments, name, 0, take); length > 0; length = readSegment(segments, name, position, take))
    position += length
  if (position >= newest.size) return left(goneBytes, 'damaged')
  const { kept, bytes, reason } = mend(segments, name, position, newest.size)
  newest.size = position
  if (kept) {
    take(kept.frame)
    newest.size += kept.length
  }
  return left(bytes + goneBytes, goneBytes > 0 ? 'damaged' : reason)
}

/** The segments by their beginnings, and how much there was behind the last that has one. */
const readHeads = (segments: Segments, run: string, found: readonly Segment[]): { spool: SpoolSegment[]; goneBytes: number } => {
  let spool: SpoolSegment[] = []
  let goneBytes = 0
  for (const { index, size } of found.toSorted((a, b) => a.index - b.index)) {
    const head: Frame[] = []
    if (size > 0) readSegment(segments, { run, index }, 0, (frame) => head.length < 2 && head.push(frame))
    const [first, second] = head
    if (first?.kind !== 'state') {
      segments.remove({ run, index }) // a file that the machine lost the content of
      goneBytes += size
      continue
    }
    const isGap = second?.kind === 'gap' && second.dropped.reason === 'spool_full'
    if (isGap) {
      // A daemon died between putting the count there and removing what it counts.
      for (const older of spool) segments.remove({ run, index: older.index })
      spool = []
    }
    spool.push({ index, first: first.state.seq, size, isGap })
    goneBytes = 0
  }
  return { spool, goneBytes }
}

/** Cuts a segment off behind its last whole frame. Of a program's bytes in a torn one those that are there stay. */
const mend = (
  segments: Segments,
  name: SegmentName,
  position: number,
  size: number,
): { kept?: { frame: Frame; length: number } | undefined; bytes: number; reason: 'interrupted' | 'damaged' } => {
  const bytes = Buffer.from(buffer.subarray(0, segments.read(name, position, buffer)))
  const head = frameHead(bytes)
  const isTorn = bytes.length < headerBytes || (head && head.length > size - position && head.length <= buffer.length)
  const wanted = head?.kind === 'o' || head?.kind === 'e' ? head.length : headerBytes // of another frame nobody misses anything
  if (!isTorn || wanted === headerBytes || bytes.length === headerBytes) {
    segments.amend(name, position, new Uint8Array(), position)
    return isTorn ? { bytes: wanted - headerBytes, reason: 'interrupted' } : { bytes: size - position, reason: 'damaged' }
  }
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length - headerBytes)
  segments.amend(name, position + 9, length, position + bytes.length)
  length.copy(bytes, 9)
  return { kept: readFrame(bytes, 0), bytes: wanted - bytes.length, reason: 'interrupted' }
}

const nowhere = { lines: () => {}, record: () => {} }
