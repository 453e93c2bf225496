import { wholeCharacters } from '../../logs/characters.ts'

/** A line without its newline, or a part of one that is too long, or has not ended. */
export interface LinePiece {
  bytes: Buffer
  /** Its newline has come. */
  isWhole: boolean
}

export interface LineCutter {
  /** What is given out may lie in the bytes that came: it is good until the call after this. */
  push(bytes: Buffer): LinePiece[]
  /** The stream is over: the line that has begun. */
  end(): LinePiece[]
}

const newline = 10

/** Cuts a stream into lines. It holds one back until its end has come, or until it is longer than `maxLineBytes`. */
export const createLineCutter = (maxLineBytes: number): LineCutter => {
  let held: Buffer[] = []
  let heldBytes = 0

  const takeHeld = (more: Buffer): Buffer => {
    if (held.length === 0) return more
    const all = Buffer.concat([...held, more])
    held = []
    heldBytes = 0
    return all
  }

  /** Cuts off what is too much of a line, between characters; the rest is held, or given out if its end has come. */
  const takeLine = (part: Buffer, isWhole: boolean, pieces: LinePiece[]): void => {
    if (!isWhole && heldBytes + part.length <= maxLineBytes) {
      if (part.length === 0) return
      // A copy: the bytes belong to the caller.
      held.push(Buffer.from(part))
      heldBytes += part.length
      return
    }
    let line = takeHeld(part)
    while (line.length > maxLineBytes) {
      const cut = wholeCharacters(line, maxLineBytes) || maxLineBytes
      pieces.push({ bytes: line.subarray(0, cut), isWhole: false })
      line = line.subarray(cut)
    }
    if (isWhole) pieces.push({ bytes: line, isWhole: true })
    else takeLine(line, false, pieces)
  }

  return {
    push: (bytes) => {
      const pieces: LinePiece[] = []
      let start = 0
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        takeLine(bytes.subarray(start, end), true, pieces)
        start = end + 1
      }
      if (start < bytes.length) takeLine(bytes.subarray(start), false, pieces)
      return pieces
    },
    end: () => (heldBytes === 0 ? [] : [{ bytes: takeHeld(none), isWhole: false }]),
  }
}

const none = Buffer.alloc(0)
