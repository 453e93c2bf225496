import Database from 'better-sqlite3'
import type { Db } from './database.ts'

/**
 * Brings over from a broken database what can still be read: each table from its beginning up to where it breaks, and from its end back to there. Gives
 * the number of rows. Rows that the new database does not take are left behind.
 */
export const salvage = (damaged: string, into: Db): number => {
  let from: Db | undefined
  let rows = 0
  into.pragma('foreign_keys = off')
  try {
    from = new Database(damaged, { readonly: true })
    const source = from
    into.transaction(() => {
      for (const table of tablesOf(into)) rows += bringOver(source, into, table)
    })()
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error
    // Not even its first page can be read: there is nothing to bring over.
  } finally {
    into.pragma('foreign_keys = on')
    from?.close()
  }
  return rows
}

const tablesOf = (db: Db): string[] =>
  db
    .prepare<[], { name: string }>(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`)
    .all()
    .map((one) => one.name)

const bringOver = (from: Db, into: Db, table: string): number => {
  const columns = into.prepare<[], { name: string; pk: number }>(`select name, pk from pragma_table_info('${table}')`).all()
  const names = columns.map((one) => one.name)
  const key = columns.filter((one) => one.pk > 0).sort((a, b) => a.pk - b.pk)
  const order = key.length > 0 ? key.map((one) => one.name) : ['rowid']
  const put = into.prepare(`insert or ignore into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`)
  let rows = 0
  for (const direction of ['asc', 'desc']) {
    try {
      // "not indexed": an index may be broken where the table is not.
      const read = from.prepare(
        `select ${names.join(', ')} from ${table} not indexed order by ${order.map((one) => `${one} ${direction}`).join(', ')}`,
      )
      for (const row of read.raw().iterate() as Iterable<unknown[]>) rows += taken(put, row)
      return rows
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error
      // Here it breaks; from the other end some more may be had.
    }
  }
  return rows
}

const taken = (put: Database.Statement, row: unknown[]): number => {
  try {
    return put.run(...row).changes
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) return 0 // garbled, so not ours
    throw error
  }
}
