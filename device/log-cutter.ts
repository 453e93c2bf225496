import { isAscii, isUtf8 } from 'node:buffer'

/** A part of a stream on its way into the log. `bytes` counts the raw bytes it stands for, the newline included. */
export type Piece = TextPiece | DroppedPiece

/** A line, or a part of one if it goes on. The text has no newline; bytes that are not UTF-8 come as base64. */
export interface TextPiece {
  at: number
  text: string | { b64: string }
  goesOn: boolean
  bytes: number
  dropped?: never
}

/** The rest of a line that was too long, or a part of that rest; `lines` is 1 for the part with the line's newline. */
export interface DroppedPiece {
  at: number
  dropped: { lines: 0 | 1; bytes: number }
  reason: 'line_too_long'
  bytes: number
  text?: never
}

export interface Cutter {
  push(bytes: Uint8Array, at: number): Piece[]
  /** The stream is idle: gives out the line that has begun. A character of which a part is missing waits for the rest. */
  flush(at: number): Piece[]
  /** The stream has ended: gives out everything. */
  end(at: number): Piece[]
  /** How many bytes of the stream all pieces given out so far stand for. */
  readonly consumed: number
}

export interface CutterLimits {
  /** A longer line is cut into several pieces. */
  maxRecordBytes: number
  /** Of a longer line the rest is dropped, and counted. */
  maxLineBytes: number
  /** Where the stream stands at the first push, for one that is taken over. */
  from?: number
}

const newline = 10
// Often enough that what is covered keeps up, seldom enough that an endless line makes few records.
const dropStep = 1024 * 1024

/** Cuts a stream into log pieces. Holds back at most one record, however long a line is. */
export const createCutter = ({ maxRecordBytes, maxLineBytes, from = 0 }: CutterLimits): Cutter => {
  const shortLine = Math.min(maxRecordBytes, maxLineBytes)
  let consumed = from
  let held: Uint8Array = Buffer.alloc(0)
  /** Of the line that has begun: how many bytes were given out, and how many dropped ones still have to be. */
  let given = 0
  let dropping: number | undefined
  let out: Piece[] = []

  const give = (at: number, body: Buffer, goesOn: boolean): void => {
    const bytes = body.length + (goesOn ? 0 : 1)
    out.push({ at, text: textOf(body), goesOn, bytes })
    consumed += bytes
    given = goesOn ? given + bytes : 0
  }

  const giveDropped = (at: number, lines: 0 | 1): void => {
    const bytes = dropping ?? 0
    if (bytes > 0) out.push({ at, dropped: { lines, bytes }, reason: 'line_too_long', bytes })
    consumed += bytes
    dropping = lines === 1 ? undefined : 0
    if (lines === 1) given = 0
  }

  /** Takes a part of one line, `isWhole` with its end, and gives out what makes full records. */
  const takeLine = (at: number, part: Uint8Array, isWhole: boolean): void => {
    let rest = dropping === undefined ? joined(held, part) : asBuffer(part)
    held = none
    // A line that was given out in parts is cut where it reaches a limit; one byte beyond tells that it goes on.
    while (dropping === undefined && (rest.length > maxRecordBytes || given + rest.length > maxLineBytes)) {
      const room = Math.min(maxRecordBytes, maxLineBytes - given)
      const cut = wholeCharacters(rest, room)
      if (cut > 0) give(at, rest.subarray(0, cut), true)
      rest = rest.subarray(cut)
      if (cut === 0 || given >= maxLineBytes) dropping = 0
    }
    if (dropping !== undefined) {
      dropping += rest.length + (isWhole ? 1 : 0)
      if (isWhole || dropping >= dropStep) giveDropped(at, isWhole ? 1 : 0)
    } else if (isWhole) give(at, rest, false)
    else held = rest
  }

  /** Whole lines, as most output comes: one look at the bytes and one decoding for all of them. */
  const takeLines = (at: number, lines: Buffer): void => {
    const ascii = isAscii(lines)
    const text = ascii ? lines.toString('latin1') : isUtf8(lines) ? lines.toString('utf8') : undefined
    for (let start = 0, textStart = 0; start < lines.length; ) {
      const textEnd = text === undefined ? 0 : text.indexOf('\n', textStart)
      const end = ascii ? textEnd : lines.indexOf(newline, start)
      const length = end - start
      if (text === undefined || length > shortLine) takeLine(at, lines.subarray(start, end), true)
      else {
        out.push({ at, text: text.slice(textStart, textEnd), goesOn: false, bytes: length + 1 })
        consumed += length + 1
      }
      start = end + 1
      textStart = textEnd + 1
    }
  }

  const finish = (at: number, isEnd: boolean): Piece[] => {
    if (dropping !== undefined) giveDropped(at, 0)
    const body = asBuffer(held)
    const cut = isEnd ? body.length : wholeCharacters(body, body.length)
    held = body.subarray(cut)
    if (cut > 0) give(at, body.subarray(0, cut), true)
    return handOver()
  }

  const handOver = (): Piece[] => {
    const pieces = out
    out = []
    return pieces
  }

  return {
    push: (bytes, at) => {
      const chunk = asBuffer(bytes)
      let start = 0
      if (held.length > 0 || given > 0 || dropping !== undefined) {
        const end = chunk.indexOf(newline)
        takeLine(at, end < 0 ? chunk : chunk.subarray(0, end), end >= 0)
        start = end < 0 ? chunk.length : end + 1
      }
      const last = chunk.lastIndexOf(newline)
      if (last >= start) takeLines(at, chunk.subarray(start, last + 1))
      const rest = Math.max(start, last + 1)
      if (rest < chunk.length) takeLine(at, chunk.subarray(rest), false)
      return handOver()
    },
    flush: (at) => finish(at, false),
    end: (at) => finish(at, true),
    get consumed() {
      return consumed
    },
  }
}

const none = Buffer.alloc(0)

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const joined = (held: Uint8Array, part: Uint8Array): Buffer => (held.length === 0 ? asBuffer(part) : Buffer.concat([held, part]))

const textOf = (body: Buffer): string | { b64: string } =>
  isUtf8(body) ? body.toString('utf8') : { b64: body.toString('base64') }

/** The longest part of at most `limit` bytes that does not end within a character. */
const wholeCharacters = (bytes: Buffer, limit: number): number => {
  const end = Math.min(limit, bytes.length)
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back] ?? 0
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return length > back ? end - back : end
    }
    if (byte < 0x80) break
  }
  return end
}
