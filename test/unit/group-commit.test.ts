import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { type Db, openDatabase } from '../../base/database.ts'
import { startGroupCommit } from '../../base/group-commit.ts'

let folder: string
let db: Db
const schema = { number: 1, sql: 'create table t (id integer primary key, body text) strict' }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-commit-'))
  db = openDatabase(join(folder, 'a.db'), [schema])
})
afterEach(() => {
  db.close()
  rmSync(folder, { recursive: true, force: true })
})

const put = (id: number, body = 'x') => db.prepare('insert into t (id, body) values (?, ?)').run(id, body).changes
const ids = () => (db.prepare('select id from t order by id').all() as { id: number }[]).map((one) => one.id) // as selected
/** What a second connection sees: only what is committed. */
const committed = (): number => {
  const other = openDatabase(join(folder, 'a.db'), [schema])
  const { count } = other.prepare('select count(*) as count from t').get() as { count: number } // as selected
  other.close()
  return count
}

describe('startGroupCommit()', () => {
  test('what arrives together is one transaction, and is durable when its promise resolves', async () => {
    let commits = 0
    const group = startGroupCommit(db, systemClock, { committed: () => commits++ })
    const seen = await Promise.all([1, 2, 3].map((id) => group.run(() => put(id)).then(committed)))
    expect([commits, seen, ids()]).toEqual([1, [3, 3, 3], [1, 2, 3]])
  })

  test('waits for the disk unless all of a group is only to outlive the process', async () => {
    const group = startGroupCommit(db, systemClock)
    const synchronous = (): unknown => db.pragma('synchronous', { simple: true })
    await group.run(() => put(1), 'process')
    const normal = synchronous()
    await Promise.all([group.run(() => put(2), 'process'), group.run(() => put(3))])
    expect([normal, synchronous(), committed()]).toEqual([1, 2, 3])
  })

  test('nothing is stored before the loop comes round, and flush() does it at once', async () => {
    const group = startGroupCommit(db, systemClock)
    const done = group.run(() => put(1))
    expect(committed()).toBe(0)
    group.flush()
    expect(committed()).toBe(1)
    await done
    group.flush()
  })

  test('a piece that fails is undone alone: all of it, and nothing of the others', async () => {
    const group = startGroupCommit(db, systemClock)
    const results = await Promise.allSettled([
      group.run(() => put(1)),
      group.run(() => {
        put(2)
        put(3)
        throw new Error('no')
      }),
      group.run(() => put(1)),
      group.run(() => put(4)),
    ])
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(ids()).toEqual([1, 4])
  })

  test('with `again` a group of which a piece fails is done once more, from nothing; the same pieces stand', async () => {
    let derived: number[] = []
    const group = startGroupCommit(db, systemClock, {
      again: () => {
        derived = []
      },
    })
    const add = (id: number) =>
      group.run(() => {
        derived.push(id)
        put(id)
      })
    const results = await Promise.allSettled([add(1), add(2), add(1), add(3)])
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect([ids(), derived]).toEqual([
      [1, 2, 3],
      [1, 2, 1, 3],
    ])
  })

  test('what `before` does belongs to the same commit; if it fails nothing is stored, and all are told', async () => {
    const failures: unknown[] = []
    let isBroken = true
    const before = () => {
      put(100 + ids().length)
      if (isBroken) throw new Error('cannot dispatch')
    }
    const group = startGroupCommit(db, systemClock, { before, failed: (error) => failures.push(error) })
    const results = await Promise.allSettled([1, 2].map((id) => group.run(() => put(id))))
    expect([results.map((one) => one.status), ids(), failures.length]).toEqual([['rejected', 'rejected'], [], 1])
    isBroken = false
    await group.run(() => put(1))
    expect(ids()).toEqual([1, 101])
  })

  test('the hooks run in their order, before any promise resolves', async () => {
    const order: string[] = []
    const group = startGroupCommit(db, systemClock, {
      before: () => order.push(`before, open: ${db.inTransaction}`),
      committed: () => order.push(`committed, open: ${db.inTransaction}`),
    })
    await group.run(() => order.push('work')).then(() => order.push('resolved'))
    expect(order).toEqual(['work', 'before, open: true', 'committed, open: false', 'resolved'])
  })

  test('on a full disk all are rejected and nothing of the group is stored; with room again it goes on', async () => {
    const failures: unknown[] = []
    const group = startGroupCommit(db, systemClock, { failed: (error) => failures.push(error) })
    await group.run(() => put(1))
    const pages = Number(db.pragma('page_count', { simple: true }))
    db.pragma(`max_page_count = ${pages + 2}`)
    const results = await Promise.allSettled([
      group.run(() => put(2)),
      group.run(() => put(3, 'x'.repeat(1_000_000))),
      group.run(() => put(4)),
    ])
    // SQLite undoes the statement or the whole transaction; what was told to be stored must be, the rest must not.
    const told = results.flatMap((one, i) => (one.status === 'fulfilled' ? [i + 2] : []))
    expect(ids()).toEqual([1, ...told])
    expect(results[1]?.status).toBe('rejected')
    expect(db.inTransaction).toBe(false)
    db.pragma(`max_page_count = ${pages + 10_000}`)
    await group.run(() => put(5, 'x'.repeat(1_000_000)))
    expect(ids()).toEqual([1, ...told, 5])
  })

  test('work that is asked for while others are told comes in the next group', async () => {
    const group = startGroupCommit(db, systemClock)
    await group.run(() => put(1)).then(() => group.run(() => put(2)))
    const nested = await group.run(() => group.run(() => put(3)))
    expect([nested, ids()]).toEqual([1, [1, 2, 3]])
  })
})
