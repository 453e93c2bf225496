import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../device/journal.ts'

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
    journal.acknowledge('runs', 5)
    expect(journal.stream('runs')).toEqual({ last: 5, acked: 5 })
  })

  test('sessions and the epoch are remembered', () => {
    expect([journal.nextSession(), journal.nextSession()]).toEqual([1, 2])
    journal.setEpoch(77, { signed: true })
    journal.setControllerKeys(['k1', 'k2'], 'token-1')
    reopen()
    expect([journal.epochProof(), journal.controllerKeys()]).toEqual([{ signed: true }, { kids: ['k1', 'k2'], by: 'token-1' }])
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

describe('purge()', () => {
  const run = (run_id: string, ended_at: number | null, done: number) => {
    const none = {
      log_seq: 0,
      lines: 0,
      bytes: 0,
      dropped_lines: 0,
      dropped_bytes: 0,
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
    journal.setAcked('log:old', 2)
    journal.setAcked('log:open', 1)
    journal.purge(50)
    expect(['old', 'open', 'new', 'running'].map((id) => journal.run(id) !== undefined)).toEqual([false, true, true, true])
    expect(journal.stream('log:open')).toEqual({ last: 1, acked: 1 })
    expect(journal.openRuns().map((one) => one.run_id)).toEqual(['open', 'running'])
    expect(journal.db.prepare(`select name from stream where name = 'log:old'`).all()).toEqual([])
  })
})

test('numbers of reports rise through every restart, however few each daemon has used', () => {
  let last = 0
  for (const count of [1, 3, 1, 1500, 2, 1]) {
    for (let i = 0; i < count; i++) {
      const next = journal.nextReported()
      expect(next).toBeGreaterThan(last)
      last = next
    }
    reopen()
  }
})
