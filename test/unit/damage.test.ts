import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { isDamage, openSound, suspect } from '../../base/damage.ts'
import { startGroupCommit } from '../../base/group-commit.ts'
import { openSoundStore, openStore } from '../../controller/store/store.ts'
import { newTask } from '../../controller/store/tasks.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-damage-'))
  file = join(folder, 'a.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const migrations = [{ number: 1, sql: 'create table t (n integer primary key, text text not null) strict' }]
const open = (more: { repair?: () => void } = {}) => openSound(file, migrations, { now: 0, ...more })
const aside = (): string[] => readdirSync(folder).filter((name) => name.includes('.damaged-'))
const fill = (rows: number): void => {
  const { db } = open()
  const put = db.prepare('insert into t (text) values (?)')
  db.transaction(() => {
    for (let i = 0; i < rows; i++) put.run(`row ${i} `.repeat(40))
  })()
  db.close()
}
/** Writes rubbish over some pages; the first page is 1. */
const garble = (...pages: number[]): void => {
  const bytes = readFileSync(file)
  for (const page of pages) bytes.fill(0xa5, (page - 1) * 4096, page * 4096)
  writeFileSync(file, bytes)
}

describe('openSound()', () => {
  test('notices that the end of a blob was cut off, though all pages agree with each other', () => {
    const { db } = open()
    db.prepare('insert into t (text) values (?)').run('x'.repeat(100_000))
    db.close()
    const { size } = statSync(file)
    truncateSync(file, size - 10)
    const { db: renewed, damage } = open()
    renewed.close()
    expect(damage).toContain('its last 10 bytes are missing')
    expect(statSync(join(folder, aside()[0] ?? '')).size).toBe(size - 10)
  })

  test('takes nothing for missing that is in the log still', () => {
    const first = open().db
    first.pragma('wal_autocheckpoint = 0')
    first.prepare('insert into t (text) values (?)').run('x'.repeat(100_000))
    const second = open()
    expect([second.damage, second.db.prepare('select length(text) from t').pluck().get()]).toEqual([null, 100_000])
    second.db.close()
    first.close()
  })

  test('opens a file that is sound, or that is not there yet, and says nothing', () => {
    expect(open().damage).toBeNull()
    fill(10)
    expect(open().damage).toBeNull()
    expect(aside()).toEqual([])
  })

  test('sets aside what is no database, and begins anew', () => {
    writeFileSync(file, 'this is a text, and a long one, '.repeat(100))
    const { db, damage } = open()
    expect(damage).toMatch(/a\.db" is damaged .*set aside as .*begins anew/)
    expect(db.prepare('select count(*) as n from t').get()).toEqual({ n: 0 })
    expect(aside().length).toBe(1)
  })

  test('says that an empty file was empty', () => {
    writeFileSync(file, '')
    expect(open().damage).toMatch(/was empty/)
  })

  test('brings over what stands before and behind the broken part, if it is to be repaired', () => {
    fill(2000)
    const pages = readFileSync(file).length / 4096
    garble(Math.floor(pages / 2))
    let isRepaired = false
    const { db, damage } = open({
      repair: () => {
        isRepaired = true
      },
    })
    const rows = db.prepare<[], { n: number }>('select n from t order by n').all()
    expect(rows.length).toBeGreaterThan(1900)
    expect(rows.length).toBeLessThan(2000)
    expect([rows[0]?.n, rows.at(-1)?.n]).toEqual([1, 2000])
    expect(damage).toContain(`${rows.length} rows could be brought over`)
    expect(isRepaired).toBe(true)
  })

  test('does not trust a file that broke while it was in use, and asks only once', () => {
    fill(10)
    suspect(file)
    expect(open({ repair: () => undefined }).damage).toContain('10 rows')
    expect(open().damage).toBeNull()
  })

  test('a missing folder is no damage', () => {
    expect(() => openSound(join(folder, 'none', 'a.db'), migrations, { now: 0 })).toThrow(/Cannot open database/)
  })
})

describe('isDamage()', () => {
  test('finds it below other errors, and tells it from a full disk', () => {
    const broken = new Database.SqliteError('malformed', 'SQLITE_CORRUPT_VTAB')
    expect(isDamage(new Error('x', { cause: broken }))).toBe(true)
    expect(isDamage(new Database.SqliteError('full', 'SQLITE_FULL'))).toBe(false)
    expect(isDamage(new Error('x'))).toBe(false)
  })

  test('in a group of commits it is everybody’s trouble', async () => {
    const db = new Database(':memory:')
    const failures: unknown[] = []
    const group = startGroupCommit(db, systemClock, { failed: (error) => failures.push(error) })
    const one = group.run(() => 1)
    const two = group.run(() => {
      throw new Database.SqliteError('malformed', 'SQLITE_CORRUPT')
    })
    await expect(one).rejects.toThrow('malformed')
    await expect(two).rejects.toThrow('malformed')
    expect(failures.map(isDamage)).toEqual([true])
  })
})

describe('the controller’s store after damage', () => {
  test('ends what lost its run and its place in the queue, keeps what has them, and is marked to hear the devices first', () => {
    const files = [join(folder, 'c.db'), join(folder, 'l.db')] as const
    const store = openStore(...files)
    const task = (id: string) =>
      store.tasks.insert(
        newTask({
          task_id: id,
          type: 'command',
          rank: 2,
          source: 'api',
          requested_by: 'a',
          body: '{}',
          fingerprint: 'x',
          open: 1,
          created_at: 1,
        }),
        [],
      )
    task('kept')
    task('orphan')
    store.queue.add({ task_id: 'kept', lane: '*', rank: 2, tries: 0, due_at: null, expires_at: null })
    store.queue.add({ task_id: 'gone', lane: '*', rank: 2, tries: 0, due_at: null, expires_at: null })
    store.close()
    suspect(files[0])
    const { store: again, damage } = openSoundStore(...files, 77)
    expect(damage.length).toBe(1)
    expect(again.tasks.get('kept')).toMatchObject({ state: 'queued', open: 1 })
    expect(again.tasks.get('orphan')).toMatchObject({ state: 'lost', reason: 'database_damaged', ended_at: 77 })
    expect([...again.queue.lanes()]).toEqual([['*', 1]])
    expect(JSON.parse(again.meta.get('restored') ?? '')).toMatchObject({ run_waiting: true })
    again.close()
    expect(existsSync(`${files[0]}.suspect`)).toBe(false)
  })
})
