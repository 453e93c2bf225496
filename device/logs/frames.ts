import type { Dropped } from '../../schemas/log.ts'
import type { LogState } from './numbering.ts'

/**
 * What a spool consists of: the bytes that a program wrote, as they were read, and what else decides how they become records. The
 * same frames always give the same records.
 */
export type Frame =
  /** Bytes of stdout or stderr. */
  | { kind: 'o' | 'e'; at: number; bytes: Buffer }
  /** The streams were idle: lines that had begun were given out. */
  | { kind: 'flush'; at: number; streams: ('o' | 'e')[] }
  | { kind: 'end'; at: number }
  /** Skein's own word. */
  | { kind: 'say'; at: number; text: string }
  /** Not kept, as the rest of a line that is too long; `isWhole` when its newline is the last byte. */
  | { kind: 'skip'; at: number; stream: 'o' | 'e'; bytes: number; isWhole: boolean }
  /** Not kept, beyond the limit on output. */
  | { kind: 'over'; at: number; lines: number; bytes: number }
  /** Known to be lost: the daemon was killed while it wrote them (`interrupted`), or the disk has not kept them (`damaged`). */
  | { kind: 'lost'; at: number; bytes: number; reason?: 'interrupted' | 'damaged' }
  /** Stands for records that had to go. */
  | { kind: 'gap'; at: number; dropped: Dropped }
  /** How things stand at the beginning of a segment. */
  | { kind: 'state'; at: number; run: string; index: number; state: LogState }

export const headerBytes = 13
const marks = ['o', 'e', 'flush', 'end', 'say', 'skip', 'over', 'lost', 'gap', 'state'] as const

/** A frame as it is written: header and body, so that the bytes of a program need no copy. */
export const encodeFrame = (frame: Frame): [Buffer, Uint8Array] => {
  const body = bodyOf(frame)
  const header = Buffer.allocUnsafe(headerBytes)
  header.writeUInt8(marks.indexOf(frame.kind) + 1, 0)
  header.writeDoubleLE(frame.at, 1)
  header.writeUInt32LE(body.length, 9)
  return [header, body]
}

const bodyOf = (frame: Frame): Uint8Array => {
  switch (frame.kind) {
    case 'o':
    case 'e':
      return frame.bytes
    case 'end':
      return none
    case 'say':
      return Buffer.from(frame.text)
    case 'flush':
    case 'skip':
    case 'over':
    case 'lost':
    case 'gap':
    case 'state':
      return Buffer.from(JSON.stringify(frame))
  }
}

/** The first frame of some bytes, and how long it is; undefined when it is not all there, or is none. */
export const readFrame = (bytes: Buffer, from: number): { frame: Frame; length: number } | undefined => {
  if (bytes.length - from < headerBytes) return undefined
  const length = headerBytes + bytes.readUInt32LE(from + 9)
  if (bytes.length - from < length) return undefined
  const kind = marks[bytes.readUInt8(from) - 1]
  const at = bytes.readDoubleLE(from + 1)
  const body = bytes.subarray(from + headerBytes, from + length)
  switch (kind) {
    case 'o':
    case 'e':
      return { frame: { kind, at, bytes: body }, length }
    case 'end':
      return { frame: { kind, at }, length }
    case 'say':
      return { frame: { kind, at, text: body.toString('utf8') }, length }
    case undefined:
      return undefined
    default: {
      const frame = frameIn(body)
      return frame?.kind === kind ? { frame, length } : undefined
    }
  }
}

/** Written by encodeFrame, unless the disk has made something else of it. */
const frameIn = (body: Buffer): Frame | undefined => {
  try {
    return JSON.parse(body.toString('utf8')) as Frame
  } catch {
    return undefined // no JSON
  }
}

/** How long the frame that begins with these bytes is to be, and of what kind; undefined when there is no such frame. */
export const frameHead = (bytes: Buffer): { length: number; kind: Frame['kind'] } | undefined => {
  if (bytes.length < headerBytes) return undefined
  const kind = marks[bytes.readUInt8(0) - 1]
  return kind && { length: headerBytes + bytes.readUInt32LE(9), kind }
}

const none = Buffer.alloc(0)
