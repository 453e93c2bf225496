import { describe, expect, test } from 'vitest'
import { bytesOf, firstSeqOf, isLogRecord, LogRecord } from '../../schemas/log.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

describe('bytesOf()', () => {
  test('gives a line with its newline, a part that goes on without', () => {
    expect(Buffer.from(bytesOf([1, 0, 'o', 'grüße'])).toString()).toBe('grüße\n')
    expect(Buffer.from(bytesOf([1, 0, 'o', 'gr', 1])).toString()).toBe('gr')
    expect(Buffer.from(bytesOf([1, 0, 'o', ''])).toString()).toBe('\n')
    expect(Buffer.from(bytesOf([1, 0, 'o', 'a\0b\u001b[0m\r'])).toString()).toBe('a\0b\u001b[0m\r\n')
  })

  test('gives back any bytes that came as base64', () => {
    const random = randomFrom(5)
    for (let i = 0; i < 300; i++) {
      const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)))
      expect(Buffer.from(bytesOf([1, 0, 'e', { b64: bytes.toString('base64') }, 1])).equals(bytes)).toBe(true)
    }
  })

  test('gives nothing for what was dropped', () => {
    expect(bytesOf([9, 0, 's', { dropped: { from: 2, to: 9, lines: 5, bytes: 50, reason: 'spool_full' } }]).length).toBe(0)
  })
})

describe('firstSeqOf()', () => {
  test('is a record’s own number, and the first that it stands for when it counts dropped ones', () => {
    expect(firstSeqOf([7, 0, 'o', 'x'])).toBe(7)
    expect(firstSeqOf([7, 0, 'o', { b64: '' }])).toBe(7)
    expect(firstSeqOf([9, 0, 's', { dropped: { from: 2, to: 9, lines: 5, bytes: 50, reason: 'spool_full' } }])).toBe(2)
  })
})

describe('LogRecord', () => {
  test.each([
    [[1, 0, 'o', 'x']],
    [[1, 0, 'e', { b64: 'AA==' }, 1]],
    [[2, 0.5, 's', { dropped: { from: 1, to: 2, lines: 1, bytes: 1, reason: 'r' } }]],
  ])('takes %j', (record) => expect([LogRecord.parse(record), isLogRecord(record)]).toEqual([record, true]))
  test.each([
    [[1, 0, 'x', 'x']],
    [['1', 0, 'o', 'x']],
    [[1, 0, 'o']],
    [[1, 0, 'o', 5]],
    [[1, 0, 'o', 'x', 2]],
    [[1.5, 0, 'o', 'x']],
    [[1, 0, 'o', { dropped: {} }]],
  ])('refuses %j', (record) => expect([LogRecord.safeParse(record).success, isLogRecord(record)]).toEqual([false, false]))
})
