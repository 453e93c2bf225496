import { describe, expect, test } from 'vitest'
import {
  anchorAt,
  heightOfAll,
  heightOfText,
  rowHeight,
  rowsAround,
  scrollTopOf,
  spaceOf,
} from '../../dashboard/web/log/anchor.ts'
import { chosenIn, hashOf } from '../../dashboard/web/log/chosen.ts'
import { gapWords } from '../../dashboard/web/log/gap-words.ts'
import { copiedText, piecesOf } from '../../dashboard/web/log/line-pieces.ts'
import { plainStyle } from '../../dashboard/web/log/sgr.ts'

const view = 600
const all = (count: number, first = 0) => ({ first, end: first + count })

describe('where one is in a log', () => {
  test('scrollTopOf() and anchorAt() are each other’s inverse, also where a million lines are scaled down', () => {
    for (const count of [10, 1000, 400_000, 1_000_000, 3_000_000]) {
      const extent = all(count, 5000)
      const total = count * rowHeight
      expect(spaceOf(total)).toBeLessThanOrEqual(8_000_000)
      for (const part of [0.001, 0.3, 0.77]) {
        const anchor = { line: 5000 + Math.floor(count * part), y: -7 }
        const top = scrollTopOf(anchor, extent, total, view)
        if (top <= 1 || top >= spaceOf(total) - view) continue
        const back = anchorAt(top, extent, total, view)
        expect(back.line * rowHeight - back.y).toBeCloseTo(anchor.line * rowHeight - anchor.y, 3)
      }
    }
  })

  test('scrollTopOf() is at the beginning only where the log is', () => {
    const extent = all(1_000_000)
    expect(scrollTopOf({ line: 0, y: 0 }, extent, 20_000_000, view)).toBe(0)
    expect(scrollTopOf({ line: 0, y: -1 }, extent, 20_000_000, view)).toBeGreaterThanOrEqual(1)
    expect(scrollTopOf({ line: 0, y: 0 }, all(0), 0, view)).toBe(0)
  })

  test('anchorAt() shows the end where the scrollbar is at its end', () => {
    const extent = all(1_000_000)
    const { line, y } = anchorAt(spaceOf(20_000_000) - view, extent, 20_000_000, view)
    expect((1_000_000 - line) * rowHeight + y).toBeCloseTo(view, 3)
  })

  test('rowsAround() makes the rows that are in sight and a few more', () => {
    const flat = () => rowHeight
    expect(rowsAround({ line: 100, y: 0 }, all(1000), view, flat)).toEqual({ first: 98, end: 132 })
    expect(rowsAround('end', all(1000), view, flat)).toEqual({ first: 968, end: 1000 })
    expect(rowsAround({ line: 100, y: 200 }, all(1000), view, flat).first).toBe(88)
    expect(rowsAround('end', all(3), view, flat)).toEqual({ first: 0, end: 3 })
    expect(rowsAround({ line: 0, y: 0 }, all(0), view, flat)).toEqual({ first: 0, end: 0 })
    // Ten high lines fill it.
    expect(rowsAround({ line: 100, y: 0 }, all(1000), view, () => 60).end).toBe(111)
  })

  test('heightOfText() and heightOfAll() estimate what wrapped lines take', () => {
    expect([heightOfText(0, 80), heightOfText(80, 80), heightOfText(81, 80)]).toEqual([20, 20, 40])
    expect(heightOfAll(all(3), 999, 80, () => 60)).toBe(180)
    expect(heightOfAll(all(10_000), 800_000, 80, () => 60)).toBe(20 * 20_000)
  })
})

describe('lines of a log', () => {
  test('chosenIn() reads what hashOf() writes', () => {
    expect(chosenIn('#L12')).toEqual({ from: 11, to: 11 })
    expect(chosenIn('#L12-L20')).toEqual({ from: 11, to: 19 })
    expect(hashOf({ from: 11, to: 11 })).toBe('#L12')
    expect(hashOf({ from: 19, to: 11 })).toBe('#L12-L20')
    for (const other of ['', '#', '#L0', '#L', '#Lx', '#main', '#L1-', '#L9999999999']) expect(chosenIn(other)).toBeNull()
  })

  test('piecesOf() cuts spans where what was found begins and ends', () => {
    const red = { ...plainStyle, fg: 1 }
    const spans = [
      { text: 'an er', style: plainStyle },
      { text: 'ror, and an error', style: red },
    ]
    expect(piecesOf(spans, /error/gi).map(({ text, style, isHit }) => [text, style.fg, isHit])).toEqual([
      ['an ', -1, false],
      ['er', -1, true],
      ['ror', 1, true],
      [', and an ', 1, false],
      ['error', 1, true],
    ])
    expect(piecesOf(spans, /nothing/g)).toHaveLength(2)
    expect(piecesOf([], /x/g)).toEqual([])
  })

  test('copiedText() has what is seen', () => {
    expect(copiedText(['\x1b[31mred\x1b[0m', '10%\r100%', ''])).toBe('red\n100%\n\n')
  })

  test('gapWords() tells how much is missing, and why', () => {
    const gap = { from: 1, to: 9, lines: 1, bytes: 0, reason: 'spool_full' }
    expect(gapWords(gap)).toBe('1 line missing here: the device had no room for them while it could not send')
    expect(gapWords({ ...gap, lines: 1200, bytes: 45_000, reason: 'retention' })).toMatch(
      /^1,200 lines \(45 kB\) missing here: they were old/,
    )
    expect(gapWords({ ...gap, lines: 0, reason: 'toString' })).toBe('Something missing here: toString')
  })
})
