import { isUtf8 } from 'node:buffer'
import { wholeCharacters } from './characters.ts'

/** What a cutter gives out, in the order of the stream. */
export interface Pieces {
  /** Whole lines as they came, newlines included, none of them too long: `count` of them. UTF-8, all of it. */
  lines(bytes: Buffer, count: number): void
  /** A line without its newline, or a part of one if it goes on. */
  line(body: Buffer, goesOn: boolean): void
  /** The rest of a line that was too long, or a part of that rest; `lines` is 1 for the part with the line's newline. */
  dropped(bytes: number, lines: 0 | 1): void
}

/** Where a cutter stands within its line. */
export interface CutterState {
  /** What has come and not been given out: base64. */
  held: string
  /** Of the line that has begun: how many bytes were given out, and how many dropped ones still have to be. */
  given: number
  dropping: number | null
}

export interface CutterLimits {
  /** A longer line is cut into several pieces. */
  maxRecordBytes: number
  /** Of a longer line the rest is dropped, and counted. */
  maxLineBytes: number
}

export interface Cutter {
  push(bytes: Buffer): void
  /** Bytes of a line that is being dropped: the caller did not keep them. `isWhole` when its newline is the last of them. */
  skip(bytes: number, isWhole: boolean): void
  /** The stream is idle: gives out the line that has begun. A character of which a part is missing waits for the rest. */
  flush(): void
  /** The stream has ended: gives out everything. */
  end(): void
  /** Nothing more is kept of the stream: says how many bytes have come and not been given out, and forgets them. */
  abandon(): number
  isDropping(): boolean
  /** Whether a flush would give out anything. */
  isWaiting(): boolean
  state(): CutterState
}

export const freshCutter: CutterState = { held: '', given: 0, dropping: null }

const newline = 10
// Often enough that whoever follows sees it, seldom enough that an endless line makes few records.
const dropStep = 1024 * 1024

/** Cuts a stream into pieces of a log. Holds back at most one record, however long a line is. */
export const createCutter = ({ maxRecordBytes, maxLineBytes }: CutterLimits, from: CutterState, to: Pieces): Cutter => {
  const shortLine = Math.min(maxRecordBytes, maxLineBytes)
  let held: Buffer = Buffer.from(from.held, 'base64')
  let { given, dropping } = from

  const give = (body: Buffer, goesOn: boolean): void => {
    to.line(body, goesOn)
    given = goesOn ? given + body.length : 0
  }

  const giveDropped = (lines: 0 | 1): void => {
    if (dropping !== null && dropping > 0) to.dropped(dropping, lines)
    dropping = lines === 1 ? null : 0
    if (lines === 1) given = 0
  }

  const skip = (bytes: number, isWhole: boolean): void => {
    dropping = (dropping ?? 0) + bytes
    if (isWhole || dropping >= dropStep) giveDropped(isWhole ? 1 : 0)
  }

  /** Takes a part of one line, `isWhole` with its end, and gives out what makes full records. */
  const takeLine = (part: Buffer, isWhole: boolean): void => {
    let rest = dropping === null && held.length > 0 ? Buffer.concat([held, part]) : part
    held = none
    // A line that was given out in parts is cut where it reaches a limit; one byte beyond tells that it goes on.
    while (dropping === null && (rest.length > maxRecordBytes || given + rest.length > maxLineBytes)) {
      const room = Math.min(maxRecordBytes, maxLineBytes - given)
      const cut = wholeCharacters(rest, room)
      if (cut > 0) give(rest.subarray(0, cut), true)
      rest = rest.subarray(cut)
      if (cut === 0 || given >= maxLineBytes) dropping = 0
    }
    if (dropping !== null) skip(rest.length + (isWhole ? 1 : 0), isWhole)
    else if (isWhole) give(rest, false)
    // A copy: the bytes belong to the caller.
    else held = Buffer.from(rest)
  }

  /** Whole lines, as most output comes: they are counted, not touched. */
  const takeLines = (lines: Buffer): void => {
    if (!isUtf8(lines)) {
      for (let start = 0; start < lines.length; ) {
        const end = lines.indexOf(newline, start)
        takeLine(lines.subarray(start, end), true)
        start = end + 1
      }
      return
    }
    let count = 0
    let from = 0
    for (let start = 0; start < lines.length; ) {
      const end = lines.indexOf(newline, start)
      if (end - start > shortLine) {
        if (count > 0) to.lines(lines.subarray(from, start), count)
        takeLine(lines.subarray(start, end), true)
        from = end + 1
        count = 0
      } else count++
      start = end + 1
    }
    if (count > 0) to.lines(lines.subarray(from), count)
  }

  const finish = (isEnd: boolean): void => {
    if (dropping !== null) giveDropped(0)
    const body = held
    const cut = isEnd ? body.length : wholeCharacters(body, body.length)
    held = body.subarray(cut)
    if (cut > 0) give(body.subarray(0, cut), true)
  }

  return {
    push: (bytes) => {
      let start = 0
      if (held.length > 0 || given > 0 || dropping !== null) {
        const end = bytes.indexOf(newline)
        takeLine(end < 0 ? bytes : bytes.subarray(0, end), end >= 0)
        start = end < 0 ? bytes.length : end + 1
      }
      const last = bytes.lastIndexOf(newline)
      if (last >= start) takeLines(bytes.subarray(start, last + 1))
      const rest = Math.max(start, last + 1)
      if (rest < bytes.length) takeLine(bytes.subarray(rest), false)
    },
    skip,
    flush: () => finish(false),
    end: () => finish(true),
    abandon: () => {
      const bytes = held.length + (dropping ?? 0)
      held = none
      given = 0
      dropping = null
      return bytes
    },
    isDropping: () => dropping !== null,
    isWaiting: () => (dropping ?? 0) > 0 || wholeCharacters(held, held.length) > 0,
    state: () => ({ held: held.toString('base64'), given, dropping }),
  }
}

const none = Buffer.alloc(0)
