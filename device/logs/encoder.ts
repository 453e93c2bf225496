import { isAscii } from 'node:buffer'
import { isDrop, type LogRecord, maxChunkBytes } from '../../schemas/log.ts'
import type { Numbered } from './numbering.ts'

/** A part of a log as it travels: `body` is its records as JSON. */
export interface Chunk {
  first: number
  last: number
  lines: number
  bytes: number
  body: string
}

export interface Encoder extends Numbered {
  /** The next chunk that is full. With `isAll` what there is, full or not. */
  next(isAll: boolean): Chunk | undefined
}

/**
 * Writes numbered records as JSON, in chunks that fit in a message each; leaves out those up to `after`. Lines that are events, each a JSON object,
 * stand in their records as what they are.
 */
export const createEncoder = (after: number, areEvents = false): Encoder => {
  const full: Chunk[] = []
  let body = ''
  let size = 0
  let first = 0
  let last = 0
  let lines = 0
  let bytes = 0

  const close = (): void => {
    if (size === 0) return
    full.push({ first, last, lines, bytes, body: `[${body}]` })
    body = ''
    size = 0
    lines = 0
    bytes = 0
  }

  const add = (from: number, to: number, text: string, textBytes: number, moreLines: number, moreBytes: number): void => {
    // Control characters grow sixfold in JSON: what counts is the encoded size.
    if (size > 0 && size + textBytes > maxChunkBytes) close()
    if (size === 0) {
      first = from
      body = text
    } else body += `,${text}`
    size += textBytes + 1
    last = to
    lines += moreLines
    bytes += moreBytes
  }

  const events = (from: number, at: number, part: Buffer): void => {
    for (let start = 0, seq = from; start < part.length; seq++) {
      const end = part.indexOf(10, start)
      const text = part.toString('utf8', start, end)
      const record = `[${seq},${at},"a",${text}]`
      if (seq > after) add(seq, seq, record, Buffer.byteLength(record), 1, end - start + 1)
      start = end + 1
    }
  }

  return {
    lines: (from, at, stream, part, count) => {
      if (from + count - 1 <= after) return
      if (areEvents) return events(from, at, part)
      const ascii = isAscii(part)
      const text = part.toString(ascii ? 'latin1' : 'utf8')
      const sizeOf = ascii ? (piece: string): number => piece.length : Buffer.byteLength
      // One call escapes all lines at once. What it makes of a newline is no longer than a backslash and an n.
      const json = JSON.stringify(text)
      const isPlain = json.length === text.length + 2 + count
      const middle = `,${at},"${stream}","`
      let seq = from
      let rawStart = 0
      for (let start = 1, end = newlineIn(json, 1); end >= 0; start = end + 2, end = newlineIn(json, start), seq++) {
        const piece = json.slice(start, end)
        const pieceBytes = sizeOf(piece)
        let rawBytes = pieceBytes
        if (!isPlain) {
          const rawEnd = text.indexOf('\n', rawStart)
          rawBytes = sizeOf(text.slice(rawStart, rawEnd))
          rawStart = rawEnd + 1
        }
        if (seq <= after) continue
        const head = `[${seq}${middle}`
        add(seq, seq, `${head}${piece}"]`, head.length + pieceBytes + 2, 1, rawBytes + 1)
      }
    },
    record: (record, moreLines, moreBytes) => {
      if (record[0] <= after) return
      const text = JSON.stringify(record)
      add(fromOf(record, after), record[0], text, Buffer.byteLength(text), moreLines, moreBytes)
    },
    next: (isAll) => {
      if (isAll && full.length === 0) close()
      return full.shift()
    },
  }
}

/** The next escaped newline: a backslash and an n, where the backslash is not itself escaped. */
const newlineIn = (json: string, from: number): number => {
  for (let at = json.indexOf('\\n', from); at >= 0; at = json.indexOf('\\n', at + 2)) {
    let before = 0
    while (at - before > from && json.charCodeAt(at - before - 1) === 92) before++
    if (before % 2 === 0) return at
  }
  return -1
}

const fromOf = ([seq, , , text]: LogRecord, after: number): number =>
  isDrop(text) ? Math.max(text.dropped.from, after + 1) : seq
