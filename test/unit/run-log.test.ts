import { beforeEach, describe, expect, test } from 'vitest'
import type { Chunk } from '../../device/logs/encoder.ts'
import { headerBytes } from '../../device/logs/frames.ts'
import { openRunLog } from '../../device/logs/run-log.ts'
import { bytesOf, firstSeqOf, isDrop, LogRecord, readRecords } from '../../schemas/log.ts'
import { maxMessageBytes } from '../../schemas/request.ts'
import type { Options } from '../../schemas/task.ts'
import { clockOf, createTime, randomFrom, type Time } from '../simulation/sim-clock.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'

let time: Time
let spool: ReturnType<typeof createSimSegments>
beforeEach(() => {
  time = createTime()
  spool = createSimSegments(() => time.now())
})

/** A run's log over a spool in memory; opened again it is that of the next daemon. */
const openLog = (options: Options = {}, acked = 0, segmentBytes = 2 * 1024 * 1024) => {
  let changes = 0
  const reports: unknown[] = []
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const log = openRunLog({
    run: 'r-1',
    options,
    segments: spool.segments,
    found: spool.segments.list(),
    clock,
    now: clock.now,
    acked,
    segmentBytes: () => segmentBytes,
    changed: () => changes++,
    grown: () => {},
    report: (error) => reports.push(error),
  })
  return {
    log,
    changes: () => changes,
    reports,
    push: (text: string | Buffer, stream: 'o' | 'e' = 'o') => log.push(stream, Buffer.from(text)),
  }
}
type Opened = ReturnType<typeof openLog>
const chunksOf = ({ log }: Opened, after = 0): Chunk[] => {
  const chunks: Chunk[] = []
  for (let chunk = log.after(after); chunk; chunk = log.after(chunk.last)) chunks.push(chunk)
  return chunks
}
const recordsOf = (one: Opened, after = 0): LogRecord[] =>
  chunksOf(one, after).flatMap((chunk) => (JSON.parse(chunk.body) as unknown[]).map((record) => LogRecord.parse(record)))
const outputOf = (one: Opened, stream: 'o' | 'e' = 'o') =>
  Buffer.concat(
    recordsOf(one)
      .filter((record) => record[2] === stream)
      .map(bytesOf),
  )
const textsOf = (one: Opened) => recordsOf(one).map((record) => record[3])
const live = (ms: number): void => {
  const until = time.now() + ms
  while (time.step(until));
}

describe('openRunLog()', () => {
  test('keeps every byte of both streams, in records numbered without a hole, whatever the pieces were', () => {
    const random = randomFrom(9)
    let one = openLog({}, 0, 5000)
    const written = { o: [] as Buffer[], e: [] as Buffer[] }
    for (let i = 0; i < 600; i++) {
      const stream = random() < 0.7 ? 'o' : 'e'
      const bytes = Buffer.from(
        Array.from({ length: Math.floor(random() * 300) }, () => (random() < 0.1 ? 10 : Math.floor(random() * 256))),
      )
      written[stream].push(bytes)
      one.push(bytes, stream)
      if (random() < 0.2) live(100)
      if (random() < 0.05) {
        // Its daemon is killed.
        one.log.release()
        one = openLog({}, 0, 5000)
      }
      if (random() < 0.1) chunksOf(one, Math.floor(random() * one.log.last()))
    }
    one.log.end()
    for (const stream of ['o', 'e'] as const) expect(outputOf(one, stream).equals(Buffer.concat(written[stream]))).toBe(true)
    expect(recordsOf(one).map((record) => record[0])).toEqual(recordsOf(one).map((_, i) => i + 1))
    expect(one.log.state()).toMatchObject({ seq: recordsOf(one).length, bytes: outputOf(one).length + outputOf(one, 'e').length })
  })

  test('what is sent again is the same to the byte, from wherever, after a kill too', () => {
    const random = randomFrom(77)
    const one = openLog({ max_line_bytes: 300, max_output_bytes: 60_000 }, 0, 3000)
    for (let i = 0; i < 400; i++) {
      const text = i % 7 === 0 ? 'ü"\\\t\u0001🪿' : i % 11 === 0 ? '\xff' : `line ${i} `
      one.push(
        Buffer.from(text.repeat(Math.floor(random() * 60)) + (random() < 0.8 ? '\n' : ''), i % 11 === 0 ? 'latin1' : 'utf8'),
      )
      if (random() < 0.1) live(100)
    }
    one.log.end()
    const all = recordsOf(one)
    const next = openLog({ max_line_bytes: 300, max_output_bytes: 60_000 }, 0, 3000)
    expect(next.log.state()).toEqual(one.log.state())
    expect(all.map(firstSeqOf)).toEqual(all.map((_, i) => i + 1))
    for (let after = 0; after < all.length; after += 1 + Math.floor(random() * 40)) {
      expect(recordsOf(next, after)).toEqual(all.slice(after))
    }
  })

  test('a line that has begun is shown when it is idle, and goes on; in a flood it is not torn', () => {
    const one = openLog()
    one.push('Password: ')
    expect(textsOf(one)).toEqual([])
    live(60)
    expect(one.changes()).toBeGreaterThan(0)
    expect(textsOf(one)).toEqual(['Password: '])
    one.push('secret\nne')
    for (let i = 0; i < 20; i++) {
      live(10)
      one.push('e')
    }
    one.push('xt')
    one.log.end()
    expect(recordsOf(one).map(([, , , text, goesOn]) => [text, goesOn])).toEqual([
      ['Password: ', 1],
      ['secret', undefined],
      [`ne${'e'.repeat(20)}xt`, 1],
    ])
    expect(one.log.state().lines).toBe(1)
  })

  test('max_output_bytes: what fits is kept, what follows is counted to the byte, and both are said where they happen', () => {
    const one = openLog({ max_output_bytes: 20 })
    one.push('123456789\n123456789\n')
    one.push('too much\nshort\n\n')
    one.push('unfinished', 'e')
    one.log.end()
    expect(outputOf(one).toString()).toBe('123456789\n123456789\n')
    expect(textsOf(one).slice(2)).toEqual([
      expect.stringContaining('output limit of 20 bytes'),
      { dropped: { from: 4, to: 4, lines: 3, bytes: 26, reason: 'output_limit' } },
    ])
    expect(one.log.state()).toMatchObject({ lines: 2, bytes: 20, dropped_lines: 3, dropped_bytes: 26 })
  })

  test('beyond the limit the spool hardly grows', () => {
    const one = openLog({ max_output_bytes: 1000 })
    for (let i = 0; i < 500; i++) one.push(Buffer.alloc(10_000, 'x\n'))
    one.log.end()
    expect(one.log.bytes()).toBeLessThan(100_000)
    expect(textsOf(one).at(-1)).toMatchObject({ dropped: { bytes: 5_000_000 - 1000, lines: 2_500_000 - 500 } })
  })

  test('after the limit nothing more is kept, however short: the log has no holes that nobody marked', () => {
    const one = openLog({ max_output_bytes: 100 })
    one.push(`${'a'.repeat(89)}\n${'b'.repeat(19)}\nc\n`)
    one.push('d\n', 'e')
    one.log.end()
    expect([outputOf(one, 'o').toString(), outputOf(one, 'e').toString()]).toEqual([`${'a'.repeat(89)}\n`, ''])
    expect(textsOf(one).at(-1)).toMatchObject({ dropped: { lines: 3, bytes: 24 } })
  })

  test('the rest of a line that was too long does not use up the limit on output', () => {
    const one = openLog({ max_output_bytes: 300, max_line_bytes: 64 })
    one.push('x'.repeat(500))
    one.push(`${'x'.repeat(500)}\nafter\n`)
    one.log.end()
    expect(outputOf(one).toString()).toBe(`${'x'.repeat(64)}after\n`)
    const dropped = textsOf(one).flatMap((text) => (isDrop(text) ? [text.dropped] : []))
    expect(dropped).toMatchObject([{ lines: 1, bytes: 937, reason: 'line_too_long' }])
    expect(one.log.state()).toMatchObject({ bytes: 70, dropped_bytes: 937, dropped_lines: 1, over: null })
  })

  test('kept and dropped together are always all that the program wrote', () => {
    const random = randomFrom(21)
    for (let round = 0; round < 60; round++) {
      spool.clear()
      const options = { max_output_bytes: 1 + Math.floor(random() * 3000), max_line_bytes: 64 + Math.floor(random() * 500) }
      let one = openLog(options, 0, 700)
      let written = 0
      let newlines = 0
      for (let i = 0; i < 30; i++) {
        const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 200) }, () => (random() < 0.03 ? 10 : 97)))
        written += bytes.length
        newlines += bytes.filter((byte) => byte === 10).length
        one.push(bytes, 'o')
        if (random() < 0.2) one = openLog(options, 0, 700)
      }
      one.log.end()
      const { bytes, dropped_bytes, lines, dropped_lines } = one.log.state()
      expect([round, bytes + dropped_bytes, lines + dropped_lines]).toEqual([round, written, newlines])
    }
  })

  test.each([
    ['NULs', '\0'],
    ['control characters', '\u0001\u001b'],
    ['quotes', '"\\'],
    ['bytes that are no UTF-8', '\xff'],
    ['emoji', '🪿'],
    ['empty lines', '\n'],
    ['short lines', 'x\n'],
  ])('a chunk fits in a message, also one of %s', (_, text) => {
    const one = openLog()
    const bytes = text === '\xff' ? Buffer.alloc(300_000, 0xff) : Buffer.from(text.repeat(300_000 / text.length))
    one.push(bytes)
    one.log.end()
    const head = { journal: 'j'.repeat(36), source: 's'.repeat(63), first: 1e9, last: 1e9, lines: 1e9, bytes: 1e9, acked: 1e9 }
    for (const chunk of chunksOf(one)) {
      const encoded = Buffer.byteLength(JSON.stringify(head)) + Buffer.byteLength(chunk.body) + 20
      expect(encoded).toBeLessThanOrEqual(maxMessageBytes)
    }
    expect(outputOf(one).equals(bytes)).toBe(true)
  })

  test('chunks cover their numbers: each begins where the last ended, and they count all lines and bytes', () => {
    const one = openLog()
    for (let i = 0; i < 5000; i++) one.push(`line ${i} ${i % 3 === 0 ? 'ü"' : 'x'.repeat(i % 90)}\n`)
    one.log.end()
    let next = 1
    for (const chunk of chunksOf(one)) {
      expect(chunk.first).toBe(next)
      next = chunk.last + 1
    }
    expect(next - 1).toBe(one.log.last())
    expect(chunksOf(one).reduce((sum, chunk) => sum + chunk.lines, 0)).toBe(5000)
    expect(chunksOf(one).reduce((sum, chunk) => sum + chunk.bytes, 0)).toBe(one.log.state().bytes)
  })

  test('on a full disk it holds what it has read and says that it is full; with room again nothing is missing', () => {
    const one = openLog()
    one.push('first\n')
    spool.setRoom(0)
    one.push('second\n')
    one.push('third\n', 'e')
    expect([one.log.isFull(), one.reports.length]).toEqual([true, 1])
    expect(() => one.log.end()).toThrow('no room')
    live(5000)
    expect(one.log.isFull()).toBe(true)
    spool.setRoom(1e9)
    live(1500)
    expect(one.log.isFull()).toBe(false)
    one.log.end()
    expect(textsOf(one)).toEqual(['first', 'second', 'third'])
    expect(one.log.last()).toBe(3)
  })

  test('Skein’s own word stands in the log and counts as no output', () => {
    const one = openLog({ max_output_bytes: 1 })
    one.push('ab\n')
    one.log.say('a word')
    one.log.end()
    expect(textsOf(one)).toContain('a word')
    expect(one.log.state()).toMatchObject({ bytes: 0, lines: 0, dropped_bytes: 3 })
  })

  test('a write that a kill cut short: what is there of it stays, the rest is counted', () => {
    const one = openLog()
    one.push('whole\n')
    one.push('half of this\nis there\n')
    const [file] = spool.segments.list()
    spool.segments.amend({ run: 'r-1', index: 0 }, 0, new Uint8Array(), (file?.size ?? 0) - 9)
    const next = openLog()
    next.push('more\n')
    next.log.end()
    expect(textsOf(next)).toEqual([
      'whole',
      'half of this',
      { dropped: { from: 3, to: 3, lines: 0, bytes: 9, reason: 'interrupted' } },
      'more',
    ])
    expect(openLog().log.state()).toEqual(next.log.state())
  })

  test('after a power cut numbers that the controller has are not used again, and a run that ended says what is gone', () => {
    openLog().push('one\ntwo\n')
    const behind = openLog({}, 5)
    behind.push('three\n')
    expect(recordsOf(behind, 5).map((record) => [record[0], record[3]])).toEqual([[6, 'three']])
    behind.log.reach({ seq: 9, lines: 7, bytes: 50 })
    expect(recordsOf(behind, 6)).toMatchObject([
      [9, expect.anything(), 's', { dropped: { from: 7, to: 9, lines: 4, reason: 'power_lost' } }],
    ])
  })
})

describe('what the disk has not kept', () => {
  const line = (i: number): string => `line ${String(i).padStart(5, '0')}`
  /** 300 lines in segments of about a hundred. */
  const written = (): Opened => {
    const one = openLog({}, 0, 3000)
    for (let i = 1; i <= 300; i++) one.push(`${line(i)}\n`)
    expect(spool.segments.list().length).toBe(3)
    return one
  }
  /** Overwrites a segment, or the last 40 lines of it. */
  const inflict = (index: number, how: 'whole' | 'end', byte: number): void => {
    const size = spool.segments.list().find((one) => one.index === index)?.size ?? 0
    const at = how === 'whole' ? 0 : size - 40 * (headerBytes + 11)
    spool.segments.amend({ run: 'r-1', index }, at, Buffer.alloc(size - at, byte), size)
  }
  /** The numbers that records stand for, which may have no hole; and the lines and marks among them. */
  const shown = (one: Opened) => {
    const records = recordsOf(one)
    let next = 1
    for (const record of records) {
      expect(firstSeqOf(record)).toBe(next)
      next = record[0] + 1
    }
    const isMark = (text: LogRecord[3]) => isDrop(text)
    return {
      marks: records.flatMap(([, , , text]) => (isDrop(text) ? [text.dropped] : [])),
      lines: records.filter(([, , , text]) => !isMark(text)).map(([, , , text]) => text),
    }
  }

  test.each([0, 7, 255])(
    'of an older segment: the rest of it is counted to the line where it would be (overwritten with %i)',
    (byte) => {
      written()
      inflict(1, 'end', byte)
      const one = openLog({}, 0, 3000)
      const before = shown(one)
      expect(before.marks).toMatchObject([{ lines: 40, reason: 'damaged' }])
      const [mark] = before.marks
      if (!mark) throw new Error('there is no mark')
      expect([mark.lines, mark.bytes]).toEqual([mark.to - mark.from + 1, 11 * (mark.to - mark.from + 1)])
      const all = Array.from({ length: 300 }, (_, i) => line(i + 1))
      expect(before.lines).toEqual([...all.slice(0, mark.from - 1), ...all.slice(mark.to)])
      one.push('more\n')
      expect(shown(one).lines).toEqual([...before.lines, 'more'])
    },
  )

  test.each([0, 7, 255])(
    'of the newest segment: it is cut off there, that is said, and the log goes on (overwritten with %i)',
    (byte) => {
      written()
      inflict(2, 'end', byte)
      const one = openLog({}, 0, 3000)
      one.push('more\n')
      const { lines, marks } = shown(one)
      expect(marks).toMatchObject([{ lines: 0, reason: 'damaged' }])
      expect(lines).toEqual([...Array.from({ length: lines.length - 1 }, (_, i) => line(i + 1)), 'more'])
      expect(lines.length).toBeGreaterThan(220)
      expect(shown(openLog({}, 0, 3000)), 'the next daemon finds the same').toEqual({ lines, marks })
    },
  )

  test.each([0, 1, 2])('of the head of segment %i: the segment goes, and the others stay', (index) => {
    written()
    inflict(index, 'whole', 0)
    const one = openLog({}, 0, 3000)
    one.push('more\n')
    const records = recordsOf(one)
    const texts = records.map(([, , , text]) => text)
    expect(texts.at(-1)).toBe('more')
    expect(texts.includes(line(1))).toBe(index !== 0)
    expect(texts.includes(line(300))).toBe(index !== 2)
    // Of the first the controller notices by the numbers that it is not there.
    if (index === 0) expect(records[0]?.[0]).toBeGreaterThan(50)
    else expect(shown(one).marks).toMatchObject([{ reason: 'damaged' }])
  })

  test('all of it: the log begins anew and says so', () => {
    written()
    for (const index of [0, 1, 2]) inflict(index, 'whole', 0)
    const one = openLog({}, 0, 3000)
    one.push('more\n')
    expect(shown(one)).toMatchObject({ lines: ['more'], marks: [{ from: 1, reason: 'damaged' }] })
  })

  test('when the disk is full as well: it is said as soon as there is room, and nothing is numbered over it', () => {
    written()
    inflict(2, 'end', 0)
    spool.setRoom(0)
    const one = openLog({}, 0, 3000)
    expect(one.reports.length).toBe(1)
    one.push('more\n')
    expect(one.log.isFull()).toBe(true)
    expect(() => one.log.end()).toThrow('no room')
    spool.setRoom(1e9)
    live(1500)
    one.log.end()
    const { lines, marks } = shown(one)
    expect([lines.at(-1), marks.length]).toEqual(['more', 1])
  })

  test('what the controller has already is not missed', () => {
    written()
    inflict(2, 'end', 0)
    const one = openLog({}, 300, 3000)
    one.push('more\n')
    expect(recordsOf(one, 300).map((record) => [record[0], record[3]])).toEqual([[301, 'more']])
  })
})

describe('shed()', () => {
  const fill = (one: Opened, from: number, to: number): void => {
    for (let i = from; i <= to; i++) one.push(`${String(i).padStart(99, '.')}\n`)
  }

  test('leaves one record that counts exactly what is gone, again and again, over a restart too', () => {
    let one = openLog({}, 0, 5000)
    fill(one, 1, 300)
    const before = one.log.bytes()
    const freed = one.log.shed()
    expect(one.log.bytes()).toBe(before - freed)
    for (let i = 0; i < 3; i++) one.log.shed()
    one = openLog({}, 0, 5000)
    fill(one, 301, 310)
    one.log.shed()
    const [marker, ...rest] = recordsOf(one)
    const gone = marker?.[0] ?? 0
    expect(gone).toBeGreaterThan(100)
    expect(marker?.[3]).toEqual({ dropped: { from: 1, to: gone, lines: gone, bytes: gone * 100, reason: 'spool_full' } })
    expect(rest.map((record) => record[0])).toEqual(Array.from({ length: 310 - gone }, (_, i) => gone + 1 + i))
    expect(one.log.state()).toMatchObject({ seq: 310, lines: 310 })
  })

  test('what the controller has is not counted, and what was counted as dropped stays counted', () => {
    const one = openLog({ max_line_bytes: 64 }, 0, 1e6)
    one.push(`kept\n${'x'.repeat(5000)}\nsays "dropped" itself\n`)
    fill(one, 1, 60)
    one.log.acknowledge(1)
    one.log.shed()
    const [marker] = recordsOf(one, 1)
    const { bytes, dropped_bytes } = one.log.state()
    expect(marker?.[3]).toEqual({
      dropped: { from: 2, to: one.log.last(), lines: 62, bytes: bytes + dropped_bytes - 5, reason: 'spool_full' },
    })
  })

  test('a daemon that dies between counting and removing leaves nothing twice', () => {
    const one = openLog({}, 0, 2000)
    fill(one, 1, 100)
    const { remove } = spool.segments
    const dying = openLog({}, 0, 2000)
    dying.log.shed()
    spool.segments.remove = () => {}
    dying.log.shed()
    spool.segments.remove = remove
    const records = recordsOf(openLog({}, 0, 2000))
    let expected = 1
    for (const record of records) {
      expect(firstSeqOf(record)).toBe(expected)
      expected = record[0] + 1
    }
    expect(expected).toBe(101)
  })

  test('with next to nothing to drop it says so', () => {
    const one = openLog()
    expect(one.log.shed()).toBe(0)
    one.push('x\n')
    expect(one.log.shed()).toBe(0)
  })
})

test('of what is written after an end is told as before: a workload goes on with another run', () => {
  const one = openLog()
  one.push('first\n')
  one.log.end()
  const before = one.changes()
  one.push('second\n')
  live(100)
  expect(one.changes()).toBeGreaterThan(before)
  expect(textsOf(one)).toEqual(['first', 'second'])
})

test('events of an agent are numbered as lines are, and stand in their records as what they are', () => {
  const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
  const log = openRunLog({
    ...{ run: 'agent:r-1', options: {}, segments: spool.segments, found: [], clock, now: clock.now, acked: 0 },
    ...{ changed: () => {}, grown: () => {}, report: () => {} },
  })
  const events = [
    { type: 'message', text: 'a "quoted" line\nand another, ünïcode' },
    { type: 'usage', tokens: 12, text: 'x'.repeat(40_000) },
  ]
  for (const event of events) log.push('o', Buffer.from(`${JSON.stringify(event)}\n`))
  log.end()
  const records = readRecords(log.after(0)?.body ?? '')
  expect(records?.map(([seq, , stream, event]) => [seq, stream, event])).toEqual([
    [1, 'a', events[0]],
    [2, 'a', events[1]],
  ])
  expect(readRecords(log.after(1)?.body ?? '')?.map(([seq]) => seq)).toEqual([2])
})
