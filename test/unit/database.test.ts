import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../base/database.ts'
import { holdFolder } from '../../base/hold.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-db-'))
  file = join(folder, 'a.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const one = { number: 1, sql: 'create table t (n integer) strict; insert into t values (1)' }
const two = { number: 2, sql: 'alter table t add column m integer; update t set m = n + 1' }
const rows = (migrations: readonly { number: number; sql: string }[]) => {
  const db = openDatabase(file, migrations)
  const all = db.prepare('select * from t').all()
  db.close()
  return all
}
const causeOf = (call: () => unknown): string => {
  try {
    call()
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  }
  return 'nothing was thrown'
}

describe('openDatabase()', () => {
  test('is durable: WAL, synchronous FULL, foreign keys', () => {
    const db = openDatabase(file, [one])
    expect(['journal_mode', 'synchronous', 'foreign_keys'].map((key) => db.pragma(key, { simple: true }))).toEqual(['wal', 2, 1])
    db.close()
  })

  test('applies migrations by number, each once, whatever their order in the list', () => {
    expect(rows([two, one])).toEqual([{ n: 1, m: 2 }])
    expect(rows([one, two])).toEqual([{ n: 1, m: 2 }])
  })

  test('takes up an older file where it stands', () => {
    expect(rows([one])).toEqual([{ n: 1 }])
    expect(rows([one, two])).toEqual([{ n: 1, m: 2 }])
  })

  test('a migration that fails leaves nothing of itself, and what came before it', () => {
    const broken = { number: 2, sql: 'insert into t values (7); insert into nowhere values (1)' }
    expect(causeOf(() => openDatabase(file, [one, broken]))).toContain('nowhere')
    expect(rows([one])).toEqual([{ n: 1 }])
    expect(rows([one, two])).toEqual([{ n: 1, m: 2 }])
  })

  test('a file of a newer version is refused and left as it is; the error names both versions and the file', () => {
    rows([one, two])
    const cause = causeOf(() => openDatabase(file, [one]))
    expect(cause).toContain('schema 2, this one knows 1')
    expect(cause).toContain(file)
    expect(rows([one, two])).toEqual([{ n: 1, m: 2 }])
  })

  test('what is no database is an error that names the file', () => {
    writeFileSync(file, 'this is no database, but it is long enough to look like one'.repeat(50))
    expect(() => openDatabase(file, [one])).toThrow(file)
    expect(() => openDatabase(join(folder, 'no', 'such', 'a.db'), [one])).toThrow('a.db')
  })

  test('exclusive keeps another process out until its holder is killed', async () => {
    const program = `
      const Database = require('better-sqlite3')
      const db = new Database(process.argv[1])
      db.pragma('locking_mode = exclusive')
      db.pragma('journal_mode = wal')
      db.exec('create table t (n integer); insert into t values (1)')
      console.log('held')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['-e', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    const gone = once(holder, 'exit')
    try {
      await once(holder.stdout, 'data')
      expect(causeOf(() => openDatabase(file, [], { exclusive: true }))).toContain('locked')
    } finally {
      holder.kill('SIGKILL')
      await gone
    }
    const db = openDatabase(file, [], { exclusive: true })
    expect(db.prepare('select n from t').all()).toEqual([{ n: 1 }])
    db.close()
  })
})

// What better-sqlite3 12 is when it is compiled with the headers of Node 24.19 or later, unless scripts/object-wrap.h is there.
test('statements that nobody holds any more are collected, and the process lives on', () => {
  const script = `
    const db = new (require('better-sqlite3'))(':memory:')
    const step = (left) => {
      for (let i = 0; i < 500; i++) db.pragma('user_version')
      left > 0 ? setImmediate(step, left - 1) : console.log('lives')
    }
    step(300)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--max-semi-space-size=1', '-e', script], { encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: 'lives\n', stderr: '' })
})

describe('holdFolder()', () => {
  test('one holder at a time for each role; a second is told the pid of the first', () => {
    const first = holdFolder(folder, 'up', 4711)
    expect(first.ok).toBe(true)
    expect(holdFolder(folder, 'up', 4712, 10)).toEqual({ ok: false, pid: 4711 })
    const other = holdFolder(folder, 'controller', 4713)
    expect(other.ok).toBe(true)
    if (first.ok) void first.close()
    const next = holdFolder(folder, 'up', 4714, 10)
    expect(next.ok).toBe(true)
    for (const hold of [other, next]) if (hold.ok) void hold.close()
  })
})
