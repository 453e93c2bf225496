import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Cutter, type CutterLimits, createCutter, freshCutter } from '../../device/logs/cutter.ts'

/** A piece as these tests look at it: text, or so many bytes dropped. */
interface Piece {
  at: number
  bytes: number
  text?: string | { b64: string }
  goesOn?: boolean
  dropped?: { lines: number; bytes: number }
}

const textOf = (body: Buffer) => (isUtf8(body) ? body.toString() : { b64: body.toString('base64') })

/** A cutter whose pieces come back from each call. `remade` puts its state through JSON after every call, as a spool does. */
const openCutter = (limits: CutterLimits, remade = false) => {
  let at = 0
  let out: Piece[] = []
  let consumed = 0
  const give = (piece: Piece): void => {
    out.push(piece)
    consumed += piece.bytes
  }
  const pieces = {
    lines: (bytes: Buffer, count: number): void => {
      const lines = bytes.toString().split('\n').slice(0, -1)
      expect(lines.length).toBe(count)
      for (const text of lines) give({ at, text, goesOn: false, bytes: Buffer.byteLength(text) + 1 })
    },
    line: (body: Buffer, goesOn: boolean): void =>
      give({ at, text: textOf(body), goesOn, bytes: body.length + (goesOn ? 0 : 1) }),
    dropped: (bytes: number, lines: 0 | 1): void => give({ at, dropped: { lines, bytes }, bytes }),
  }
  let cutter: Cutter = createCutter(limits, freshCutter, pieces)
  const call = (now: number, act: () => void): Piece[] => {
    at = now
    act()
    if (remade) cutter = createCutter(limits, JSON.parse(JSON.stringify(cutter.state())), pieces)
    const given = out
    out = []
    return given
  }
  return {
    push: (bytes: Uint8Array, now: number) => call(now, () => cutter.push(Buffer.from(bytes))),
    flush: (now: number) => call(now, () => cutter.flush()),
    end: (now: number) => call(now, () => cutter.end()),
    get consumed() {
      return consumed
    },
  }
}

const limits = { maxRecordBytes: 64, maxLineBytes: 200 }

/** The raw bytes that pieces stand for, with a mark of the same length where some were dropped. */
const bytesOf = (pieces: readonly Piece[]): Buffer =>
  Buffer.concat(
    pieces.map((piece) => {
      if (piece.dropped) return Buffer.alloc(piece.bytes, '~')
      const body = typeof piece.text === 'object' ? Buffer.from(piece.text.b64, 'base64') : Buffer.from(piece.text ?? '')
      return piece.goesOn ? body : Buffer.concat([body, Buffer.from('\n')])
    }),
  )

/** Pushes in parts of the sizes that `size` gives, and ends. */
const cut = (input: Buffer, size: () => number, remade = false): { pieces: Piece[]; consumed: number } => {
  const cutter = openCutter(limits, remade)
  const pieces: Piece[] = []
  for (let at = 0; at < input.length; ) {
    const end = Math.min(input.length, at + size())
    pieces.push(...cutter.push(input.subarray(at, end), at))
    expect(pieces.reduce((sum, piece) => sum + piece.bytes, 0)).toBe(cutter.consumed)
    at = end
  }
  pieces.push(...cutter.end(input.length))
  return { pieces, consumed: cutter.consumed }
}

/** What must come out: every byte, but for those of a line beyond the limit. */
const kept = (input: Buffer, maxLineBytes: number, output: Buffer): boolean => {
  if (input.length !== output.length) return false
  let inLine = 0
  for (const [i, byte] of input.entries()) {
    if (output[i] !== byte && !(output[i] === 0x7e && (byte === 10 || inLine >= maxLineBytes - 3))) return false
    inLine = byte === 10 ? 0 : inLine + 1
  }
  return true
}

describe('createCutter()', () => {
  test('gives one piece per line and keeps carriage returns', () => {
    const { pieces } = cut(Buffer.from('one\r\n\ntwo ü\nthree'), () => 1000)
    expect(pieces).toEqual([
      { at: 0, text: 'one\r', goesOn: false, bytes: 5 },
      { at: 0, text: '', goesOn: false, bytes: 1 },
      { at: 0, text: 'two ü', goesOn: false, bytes: 7 },
      { at: 18, text: 'three', goesOn: true, bytes: 5 },
    ])
  })

  test('gives the unfinished line on flush, and its rest as the same line', () => {
    const cutter = openCutter(limits)
    expect(cutter.push(Buffer.from('name? '), 1)).toEqual([])
    expect(cutter.flush(2)).toEqual([{ at: 2, text: 'name? ', goesOn: true, bytes: 6 }])
    expect(cutter.flush(3)).toEqual([])
    expect(cutter.push(Buffer.from('\nx\n'), 4)).toEqual([
      { at: 4, text: '', goesOn: false, bytes: 1 },
      { at: 4, text: 'x', goesOn: false, bytes: 2 },
    ])
    expect(cutter.consumed).toBe(9)
  })

  test('holds back a character of which a part is missing, until the end', () => {
    const cutter = openCutter(limits)
    const euro = Buffer.from('€')
    cutter.push(Buffer.from('a'), 1)
    cutter.push(euro.subarray(0, 2), 1)
    expect(cutter.flush(2)).toEqual([{ at: 2, text: 'a', goesOn: true, bytes: 1 }])
    cutter.push(euro.subarray(2), 3)
    expect(cutter.flush(4)).toEqual([{ at: 4, text: '€', goesOn: true, bytes: 3 }])
    cutter.push(euro.subarray(0, 2), 5)
    expect(cutter.flush(6)).toEqual([])
    expect(cutter.end(7)).toEqual([{ at: 7, text: { b64: euro.subarray(0, 2).toString('base64') }, goesOn: true, bytes: 2 }])
    expect(cutter.consumed).toBe(6)
  })

  test('cuts a long line into records at whole characters', () => {
    const { pieces } = cut(Buffer.from(`${'€'.repeat(50)}\n`), () => 7)
    expect(pieces.map((piece) => piece.text)).toEqual(['€'.repeat(21), '€'.repeat(21), '€'.repeat(8)])
    expect(pieces.map((piece) => piece.goesOn)).toEqual([true, true, false])
  })

  test('keeps a line of exactly the limit, and drops and counts what is beyond it', () => {
    const whole = cut(Buffer.from(`${'x'.repeat(200)}\n`), () => 33).pieces
    expect(whole.some((piece) => piece.dropped)).toBe(false)
    const { pieces, consumed } = cut(Buffer.from(`${'x'.repeat(201)}\nnext\n`), () => 1000)
    expect(pieces.slice(-2)).toEqual([
      { at: 0, dropped: { lines: 1, bytes: 2 }, bytes: 2 },
      { at: 0, text: 'next', goesOn: false, bytes: 5 },
    ])
    expect(consumed).toBe(207)
  })

  test('gives bytes that are not UTF-8 as base64, line by line', () => {
    const { pieces } = cut(
      Buffer.concat([Buffer.from('good\n'), Buffer.from([0xff, 0xfe, 10]), Buffer.from('gut ü\n')]),
      () => 100,
    )
    expect(pieces.map((piece) => piece.text)).toEqual(['good', { b64: '//4=' }, 'gut ü'])
  })

  test('stays small and counts exactly in a line of 100 MB', () => {
    const cutter = openCutter({ maxRecordBytes: 16 * 1024, maxLineBytes: 1024 * 1024 })
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const total = 100 * 1024 * 1024
    let pieces = 0
    let dropped = 0
    let behind = 0
    const take = (given: readonly Piece[]): void => {
      pieces += given.length
      for (const piece of given) dropped += piece.dropped?.bytes ?? 0
    }
    for (let pushed = 0; pushed < total; ) {
      take(cutter.push(chunk, 0))
      pushed += chunk.length
      behind = Math.max(behind, pushed - cutter.consumed)
    }
    take(cutter.push(Buffer.from('\n'), 0))
    expect(dropped).toBe(total - 1024 * 1024 + 1)
    expect(cutter.consumed).toBe(total + 1)
    expect(behind).toBeLessThanOrEqual(1024 * 1024 + chunk.length)
    expect(pieces).toBeLessThan(200)
  })

  test('loses no byte of any input, however it is cut and wherever it is taken up again', () => {
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 20 }, (_, i) => {
        const random = randomBytes(1 + ((round * 7 + i * 13) % 90))
        if (i % 4 === 0) return random
        const line = 'aü€😀'.repeat(random.length % 40)
        return Buffer.from(i % 4 === 1 ? line : `${line}\n`)
      })
      const input = Buffer.concat(parts)
      let turn = round
      const { pieces, consumed } = cut(
        input,
        () => {
          turn += 37
          return 1 + (turn % (round % 3 === 0 ? 5 : 300))
        },
        round % 2 === 0,
      )
      expect(consumed).toBe(input.length)
      expect(kept(input, limits.maxLineBytes, bytesOf(pieces))).toBe(true)
      for (const piece of pieces) if (!piece.dropped) expect(piece.bytes).toBeLessThanOrEqual(limits.maxRecordBytes + 1)
    }
  })
})
