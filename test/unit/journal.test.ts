import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../device/journal.ts'
import { firstSeqOf, LogRecord } from '../../schemas/log.ts'

let folder: string
let journal: Journal
const reopen = (): void => {
  journal.close()
  journal = openJournal(join(folder, 'journal.db'))
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-journal-'))
  journal = openJournal(join(folder, 'journal.db'))
})
afterEach(() => {
  journal.close()
  rmSync(folder, { recursive: true, force: true })
})

const at = '2030-01-01T00:00:00.000Z'
const change = (run: string) => ({ run, state: 'running', at }) as const
/** A chunk of one line for each number. */
const addLines = (run: string, first: number, last: number, text = 'x'): void => {
  const records = Array.from({ length: last - first + 1 }, (_, i) => [first + i, 1, 'o', text])
  const lines = last - first + 1
  journal.appendLog(run, { seq: last, first, lines, bytes: lines * (Buffer.byteLength(text) + 1), body: JSON.stringify(records) })
}
const recordsOf = (run: string): LogRecord[] =>
  journal
    .records(`log:${run}`, 0, 10_000)
    .flatMap((row) => (JSON.parse(row.body) as unknown[]).map((one) => LogRecord.parse(one)))

describe('journal streams', () => {
  test('numbers rise by one and go on after the file was closed and opened; the journal’s name stays', () => {
    const { id } = journal
    expect([journal.appendChange(change('a')), journal.appendChange(change('b'))]).toEqual([1, 2])
    reopen()
    expect(journal.id).toBe(id)
    expect(journal.appendChange(change('c'))).toBe(3)
    journal.acknowledge('runs', 3)
    reopen()
    expect(journal.appendChange(change('d'))).toBe(4)
    expect(journal.records('runs', 0, 10).map((row) => row.seq)).toEqual([4])
    expect(JSON.parse(journal.records('runs', 0, 10)[0]?.body ?? '')).toMatchObject({ seq: 4, run: 'd' })
  })

  test('a new file is a new journal', () => {
    const { id } = journal
    journal.close()
    rmSync(folder, { recursive: true })
    folder = mkdtempSync(join(tmpdir(), 'skein-journal-'))
    journal = openJournal(join(folder, 'journal.db'))
    expect(journal.id).not.toBe(id)
    expect(journal.appendChange(change('a'))).toBe(1)
  })

  test('an acknowledgement never goes back, nor beyond what there is', () => {
    for (let i = 0; i < 5; i++) journal.appendChange(change(`r${i}`))
    expect(journal.acknowledge('runs', 3)).toBe(true)
    for (const seq of [3, 2, 0, -1, 6, 1e9]) expect([seq, journal.acknowledge('runs', seq)]).toEqual([seq, false])
    expect(journal.stream('runs')).toEqual({ last: 5, acked: 3 })
    expect(journal.records('runs', 0, 10).map((row) => row.seq)).toEqual([4, 5])
    expect(journal.acknowledge('log:never', 1)).toBe(false)
    expect(journal.openStreams().map((one) => one.name)).toEqual(['runs'])
    journal.acknowledge('runs', 5)
    expect(journal.openStreams()).toEqual([])
  })

  test('sessions and the epoch are remembered', () => {
    expect([journal.nextSession(), journal.nextSession()]).toEqual([1, 2])
    journal.setEpoch(77)
    reopen()
    expect([journal.session(), journal.epoch(), journal.nextSession()]).toEqual([2, 77, 3])
  })

  test('what a failed transaction numbered is numbered again', () => {
    journal.appendChange(change('a'))
    journal.db.exec('begin')
    expect(journal.appendChange(change('b'))).toBe(2)
    journal.db.exec('rollback')
    journal.forgetUncommitted()
    expect(journal.appendChange(change('c'))).toBe(2)
    expect(journal.records('runs', 0, 10).map((row) => JSON.parse(row.body).run)).toEqual(['a', 'c'])
  })

  test('hasUnacknowledgedChange() tells runs apart that begin alike', () => {
    journal.appendChange(change('t-1'))
    expect([journal.hasUnacknowledgedChange('t-1'), journal.hasUnacknowledgedChange('t')]).toEqual([true, false])
    expect(journal.hasUnacknowledgedChange('t-11')).toBe(false)
    journal.acknowledge('runs', 1)
    expect(journal.hasUnacknowledgedChange('t-1')).toBe(false)
  })
})

describe('shed()', () => {
  test('drops the oldest of the largest log and leaves one record that counts exactly what is gone', () => {
    for (let i = 0; i < 200; i++) addLines('big', i * 3 + 1, i * 3 + 3, 'x'.repeat(100))
    addLines('small', 1, 3)
    const before = journal.logBytes()
    const freed = journal.shed(5)
    expect(journal.logBytes()).toBe(before - freed)
    expect(recordsOf('small').length).toBe(3)
    const [marker, ...rest] = recordsOf('big')
    expect(marker?.[3]).toEqual({ dropped: { from: 1, to: 192, lines: 192, bytes: 192 * 101, reason: 'spool_full' } })
    expect(rest.map((one) => one[0])).toEqual(Array.from({ length: 600 - 192 }, (_, i) => 193 + i))
  })

  test('again and again: still one record, still exact, and every number is accounted for', () => {
    for (let i = 1; i <= 300; i++) addLines('big', i, i, 'line')
    for (let i = 0; i < 4; i++) journal.shed(5)
    addLines('big', 301, 310, 'line')
    for (let i = 0; i < 5; i++) journal.shed(5)
    const records = recordsOf('big')
    let expected = 1
    let lines = 0
    for (const record of records) {
      expect(firstSeqOf(record)).toBe(expected)
      expected = record[0] + 1
      lines += typeof record[3] === 'object' && 'dropped' in record[3] ? record[3].dropped.lines : 1
    }
    expect([expected, lines]).toEqual([311, 310])
    expect(records.filter((one) => typeof one[3] === 'object').length).toBe(1)
    expect(journal.shed(5)).toBe(0)
  })

  test('what was counted as dropped within the dropped part stays counted', () => {
    const dropped = { from: 2, to: 2, lines: 1, bytes: 5000, reason: 'line_too_long' }
    const records = [
      [1, 1, 'o', 'kept'],
      [2, 1, 'o', { dropped }],
      [3, 1, 'o', 'says "dropped" itself'],
    ]
    journal.appendLog('r', { seq: 3, first: 1, lines: 2, bytes: 27, body: JSON.stringify(records) })
    addLines('r', 4, 6, 'abc')
    journal.shed(5)
    expect(recordsOf('r').map((one) => one[3])).toEqual([
      { dropped: { from: 1, to: 6, lines: 6, bytes: 5000 + 27 + 12, reason: 'spool_full' } },
    ])
  })

  test('the budget counts bytes as they are stored, not characters', () => {
    addLines('r', 1, 1, '€'.repeat(1000))
    expect(journal.logBytes()).toBeGreaterThan(3000)
    expect(journal.unacknowledgedBytes('log:r')).toBe(journal.logBytes())
  })

  test('with nothing to drop it says so', () => {
    expect(journal.shed(5)).toBe(0)
    addLines('r', 1, 1)
    expect(journal.shed(5)).toBe(0)
  })
})

describe('purge()', () => {
  const run = (run_id: string, ended_at: number | null, done: number) => {
    const none = {
      out_bytes: 0,
      err_bytes: 0,
      log_seq: 0,
      lines: 0,
      bytes: 0,
      dropped_lines: 0,
      dropped_bytes: 0,
      over_lines: 0,
      over_bytes: 0,
    }
    const about = {
      run_id,
      task_id: 't',
      attempt: 1,
      state: 'succeeded',
      orders: '{}',
      boot: 'b',
      accepted_at: 1,
      heard_mono: 1,
    } as const
    journal.insertRun({ ...about, ...none, started_mono: null, ended_at, result: null, stop_for: null, done })
  }

  test('forgets what ended long ago and is acknowledged, nothing else', () => {
    run('old', 10, 1)
    run('open', 10, 0)
    run('new', 100, 1)
    run('running', null, 0)
    addLines('old', 1, 2)
    addLines('open', 1, 2)
    journal.acknowledge('log:old', 2)
    journal.purge(50)
    expect(['old', 'open', 'new', 'running'].map((id) => journal.run(id) !== undefined)).toEqual([false, true, true, true])
    expect(journal.stream('log:open')).toEqual({ last: 2, acked: 0 })
    expect(journal.openRuns().map((one) => one.run_id)).toEqual(['open', 'running'])
    expect(journal.db.prepare(`select name from stream where name = 'log:old'`).all()).toEqual([])
  })
})
