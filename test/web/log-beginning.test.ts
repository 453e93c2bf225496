import { describe, expect, test } from 'vitest'
import { beginningOf } from '../../dashboard/web/log/beginning.ts'
import type { LogRecord, LogText } from '../../schemas/log.ts'

const counted = (from: number, ...texts: LogText[]): LogRecord[] => texts.map((text, i) => [from + i, 0, 'o', text])
/** As a device numbers the lines of a file: by the bytes up to their end. */
const ofFile = (offset: number, ...texts: string[]): LogRecord[] =>
  texts.map((text) => {
    offset += Buffer.byteLength(text) + 1
    return [offset, 0, 'o', text]
  })

describe('where a log begins to be shown', () => {
  test('beginningOf() goes by the number of the first record', () => {
    expect(beginningOf([])).toEqual({ index: 0, isCut: false })
    expect(beginningOf(counted(1, 'a', 'b'))).toEqual({ index: 0, isCut: false })
    expect(beginningOf(counted(4001, 'a', '', 'a longer one'))).toEqual({ index: 4000, isCut: false })
    expect(beginningOf(counted(4001, { b64: '/3g=' }))).toEqual({ index: 4000, isCut: false })
  })

  test('beginningOf() counts lines that were not kept from the first of them', () => {
    const dropped = (from: number, to: number): LogText => ({ dropped: { from, to, lines: 8, bytes: 1, reason: 'rotated' } })
    expect(beginningOf(counted(9, dropped(1, 9), 'a'))).toEqual({ index: 0, isCut: false })
    expect(beginningOf(counted(9, dropped(5, 9), 'a'))).toEqual({ index: 4, isCut: false })
  })

  test('beginningOf() knows a file by its bytes, and whether it begins at its beginning', () => {
    expect(beginningOf(ofFile(0, 'one', '', 'drei ä'))).toEqual({ index: 0, isCut: false })
    expect(beginningOf(ofFile(5000, 'one', '', 'drei ä'))).toEqual({ index: 0, isCut: true })
    expect(beginningOf(ofFile(0, 'the only one'))).toEqual({ index: 0, isCut: false })
    const long: LogRecord[] = [[65_536, 0, 'o', 'x'.repeat(65_536), 1], ...ofFile(65_536, 'rest')]
    expect(beginningOf(long)).toEqual({ index: 0, isCut: false })
  })
})
