import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeFrame, readFrame } from '../../device/logs/frames.ts'
import { freshLog } from '../../device/logs/numbering.ts'
import { rehearse } from '../../device/logs/rehearsal.ts'
import { openRunLog } from '../../device/logs/run-log.ts'
import { openSegments, type Segments } from '../../device/logs/segments.ts'
import { bytesOf, isDrop, LogRecord } from '../../schemas/log.ts'
import { canMount, mountSmallDisk, type SmallDisk } from '../harness/small-disk.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'

let folder: string
let disk: SmallDisk | undefined
let opened: Segments[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-segments-'))
})
afterEach(() => {
  for (const one of opened) one.close()
  opened = []
  disk?.close()
  disk = undefined
  rmSync(folder, { recursive: true, force: true })
})
const open = (): Segments => {
  const one = openSegments(folder)
  opened.push(one)
  return one
}
/** A disk of 1 MB. */
const onSmallDisk = (files?: number): SmallDisk => {
  disk = mountSmallDisk(folder, 1, files)
  return disk
}
const name = { run: 'r-1', index: 0 }
const textOf = (file = 'r-1.0'): string => readFileSync(join(folder, file), 'utf8')
const parts = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text))
const files = (): string[] => readdirSync(folder).filter((file) => !file.startsWith('.') && file !== 'ballast')
/** So much that a part of it fits into the last page of a file and the rest does not. */
const large = 'x'.repeat(10_000)
const freeBytes = (): number => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

describe('openSegments()', () => {
  test('prepare() has a segment of an earlier daemon at hand: an append opens nothing', () => {
    open().begin(name, parts('one'))
    const segments = open()
    segments.prepare(name)
    unlinkSync(join(folder, 'r-1.0'))
    segments.append(name, parts('two'))
    expect(files()).toEqual([])
  })

  test('a segment that cannot get its name is not begun, and the next try has its bytes once', () => {
    const segments = open()
    mkdirSync(join(folder, 'r-1.0')) // in the way
    expect(() => segments.begin(name, parts('one ', 'two'))).toThrow()
    expect(() => segments.begin(name, parts('one ', 'two'))).toThrow()
    rmdirSync(join(folder, 'r-1.0'))
    segments.begin(name, parts('one ', 'two'))
    segments.append(name, parts(' three'))
    expect(textOf()).toBe('one two three')
  })
})

describe.skipIf(!canMount())('openSegments() on a full disk', () => {
  test('append() adds nothing of what does not fit, again and again, and all of it when there is room', () => {
    const disk = onSmallDisk()
    const segments = open()
    segments.begin(name, parts('begun '))
    disk.fill()
    for (let i = 0; i < 3; i++) {
      expect(() => segments.append(name, parts('half ', large))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
      expect(textOf()).toBe('begun ')
    }
    // The page that the file has begun is its own: what is small still fits.
    segments.append(name, parts('small '))
    disk.free()
    segments.append(name, parts('half ', large))
    expect(textOf()).toBe(`begun small half ${large}`)
  })

  test('begin() begins nothing, leaves the segment before it as it is, and begins it once when there is room', () => {
    const disk = onSmallDisk()
    const segments = open()
    segments.begin(name, parts('before'))
    disk.fill()
    for (let i = 0; i < 3; i++)
      expect(() => segments.begin({ ...name, index: 1 }, parts('half ', large))).toThrow(
        expect.objectContaining({ code: 'ENOSPC' }),
      )
    expect(files()).toEqual(['r-1.0'])
    segments.append(name, parts(', after'))
    expect(textOf()).toBe('before, after')
    disk.free()
    segments.begin({ ...name, index: 1 }, parts('half ', large))
    expect([textOf('r-1.1'), segments.list().length]).toEqual([`half ${large}`, 2])
  })

  test('replace() puts a smaller segment in place of a larger one, over its own bytes', () => {
    const disk = onSmallDisk()
    const segments = open()
    segments.begin(name, parts(large, large))
    segments.begin({ ...name, index: 1 }, parts('newest'))
    disk.fill()
    segments.replace(name, Buffer.from('y'.repeat(9000)))
    expect(textOf()).toBe('y'.repeat(9000))
    expect(readdirSync(folder).filter((file) => file.startsWith('.draft'))).toEqual([])
    expect(freeBytes(), 'the room behind it').toBeGreaterThan(0)
  })

  test('replace() that finds no room throws, and the segment stays as it was', () => {
    const disk = onSmallDisk()
    const segments = open()
    segments.begin(name, parts('small'))
    segments.begin({ ...name, index: 1 }, parts('newest'))
    disk.fill()
    expect(() => segments.replace(name, Buffer.from(large))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(textOf()).toBe('small')
  })

  test('remove() makes room', () => {
    const disk = onSmallDisk()
    const segments = open()
    segments.begin(name, parts(large))
    disk.fill()
    expect(() => segments.begin({ run: 'r-2', index: 0 }, parts(large))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    segments.remove(name)
    segments.begin({ run: 'r-2', index: 0 }, parts(large))
    expect(files()).toEqual(['r-2.0'])
  })

  test('it is opened, and what a daemon has written and not named is taken up', () => {
    const disk = onSmallDisk()
    const before = open()
    before.begin(name, encodeFrame({ kind: 'state', at: 1, run: 'r-1', index: 0, state: freshLog }))
    disk.fill()
    const next = open()
    expect(next.list().map(({ run, index }) => ({ run, index }))).toEqual([name])
    const into = Buffer.alloc(4096)
    expect(readFrame(into.subarray(0, next.read(name, 0, into)), 0)?.frame).toMatchObject({ kind: 'state', run: 'r-1' })
  })
})

describe.skipIf(!canMount())('openSegments() where no more files can be made', () => {
  test('opens, begins nothing, adds to what is there, and begins when there is room', () => {
    onSmallDisk(5)
    open().begin(name, parts('there'))
    for (const one of opened) one.close()
    const inTheWay = ['a', 'b', 'c'].map((one) => join(folder, one))
    for (const one of inTheWay) writeFileSync(one, '')
    const segments = open()
    expect(() => segments.begin({ run: 'r-2', index: 0 }, parts('new'))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    segments.append(name, parts(', still'))
    expect(textOf()).toBe('there, still')
    for (const one of inTheWay) rmSync(one)
    segments.begin({ run: 'r-2', index: 0 }, parts('new'))
    expect(textOf('r-2.0')).toBe('new')
  })
})

describe('rehearse()', () => {
  test('leaves nothing behind', () => {
    const segments = open()
    rehearse(segments, clockOf(createTime(), { isDead: false, wallOffsetMs: 0 }))
    expect(segments.list()).toEqual([])
  })
  test.skipIf(!canMount())('does without room', () => {
    const small = onSmallDisk()
    const segments = open()
    small.fill()
    rehearse(segments, clockOf(createTime(), { isDead: false, wallOffsetMs: 0 }))
    expect(segments.list()).toEqual([])
  })
})

describe.skipIf(!canMount())('openRunLog() on a full disk', () => {
  const openLog = (segments: Segments, time = createTime()) => {
    const clock = clockOf(time, { isDead: false, wallOffsetMs: 0 })
    const reports: unknown[] = []
    const log = openRunLog({
      ...{
        run: 'r-1',
        options: {},
        segments,
        found: segments.list(),
        clock,
        now: clock.now,
        acked: 0,
        segmentBytes: () => 50_000,
      },
      ...{ changed: () => {}, grown: () => {}, report: (error: unknown) => void reports.push(error) },
    })
    return { log, reports, live: (ms: number) => live(time, ms) }
  }
  const live = (time: ReturnType<typeof createTime>, ms: number): void => {
    const until = time.now() + ms
    while (time.step(until));
  }
  const recordsOf = ({ log }: ReturnType<typeof openLog>): LogRecord[] => {
    const records: LogRecord[] = []
    for (let chunk = log.after(0); chunk; chunk = log.after(chunk.last))
      for (const one of JSON.parse(chunk.body)) records.push(LogRecord.parse(one))
    return records
  }
  const outputOf = (one: ReturnType<typeof openLog>): string =>
    Buffer.concat(
      recordsOf(one)
        .filter(([, , stream]) => stream === 'o')
        .map(bytesOf),
    ).toString()
  const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('')

  test('every byte is there once and in order, after the disk was full many times, and a daemon ended in the middle', () => {
    const disk = onSmallDisk()
    let one = openLog(open())
    let written = 0
    const write = (count: number): void => {
      one.log.push('o', Buffer.from(lines(written, written + count)))
      written += count
    }
    for (let round = 0; round < 6; round++) {
      write(500)
      disk.fill()
      for (let i = 0; i < 20 && !one.log.isFull(); i++) write(700)
      expect(one.log.isFull(), 'the disk is full').toBe(true)
      one.live(3500)
      expect(one.reports.length, 'it has tried again').toBeGreaterThan(2)
      expect(one.log.isFull()).toBe(true)
      expect(outputOf(one), 'what fits is there').toBe(lines(0, written).slice(0, outputOf(one).length))
      disk.free()
      one.live(1500)
      expect(one.log.isFull()).toBe(false)
      if (round % 2 === 1) {
        one.log.release()
        one = openLog(open())
      }
    }
    one.log.end()
    expect(outputOf(one)).toBe(lines(0, written))
    expect(recordsOf(one).map(([seq]) => seq)).toEqual(Array.from({ length: written }, (_, i) => i + 1))
  })

  test('it makes room for itself: the oldest part goes, and is counted to the line', () => {
    const disk = onSmallDisk()
    const one = openLog(open())
    for (let i = 0; i < 20; i++) one.log.push('o', Buffer.from(lines(i * 1000, i * 1000 + 1000)))
    disk.fill()
    expect(existsSync(join(folder, 'r-1.0'))).toBe(true)
    expect(one.log.shed()).toBeGreaterThan(0)
    expect(one.log.shed()).toBeGreaterThan(0)
    one.log.push('o', Buffer.from(lines(20_000, 20_500)))
    expect(one.log.isFull(), 'there is room now').toBe(false)
    one.log.end()
    const [first] = recordsOf(one)
    const dropped = first && isDrop(first[3]) ? first[3].dropped : undefined
    expect(dropped).toMatchObject({ from: 1, reason: 'spool_full' })
    expect(outputOf(one)).toBe(lines(dropped?.lines ?? 0, 20_500))
    // The next daemon finds the same.
    expect(outputOf(openLog(open()))).toBe(lines(dropped?.lines ?? 0, 20_500))
  })
})
