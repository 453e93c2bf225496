import Database from 'better-sqlite3'

export type Db = Database.Database

export interface Migration {
  number: number
  sql: string
}

/**
 * Opens a SQLite file the way all of ours are: WAL, synchronous FULL, foreign keys, migrated to the newest version.
 * `exclusive` keeps every other process out until this one ends, however it ends: the lock is the kernel's.
 */
export const openDatabase = (file: string, migrations: readonly Migration[], options: { exclusive?: boolean } = {}): Db => {
  let db: Db | undefined
  try {
    db = new Database(file)
    db.pragma('busy_timeout = 5000')
    if (options.exclusive) db.pragma('locking_mode = exclusive')
    db.pragma('journal_mode = wal')
    db.pragma('synchronous = full')
    db.pragma('foreign_keys = on')
    migrate(db, migrations, file)
    return db
  } catch (error) {
    db?.close()
    const isTaken = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')
    throw new Error(`Cannot open database "${file}"${isTaken ? ': another process has it' : ''}`, { cause: error })
  }
}

/** Opens a SQLite file that another connection has made and keeps up to date, to read only. */
export const openReadOnly = (file: string): Db => {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  db.pragma('busy_timeout = 5000')
  // What was read last stays in memory only so far: the other connection has most of it as well.
  db.pragma('cache_size = -2000')
  return db
}

/** Writes a page within a transaction and changes nothing: a commit of nothing succeeds on a full disk, too. */
export const touch = (db: Db): void => {
  db.pragma(`user_version = ${Number(db.pragma('user_version', { simple: true }))}`)
}

/** Applies what is missing, in order, each in a transaction of its own. Migrations are numbered and never edited. */
const migrate = (db: Db, migrations: readonly Migration[], file: string): void => {
  const current = Number(db.pragma('user_version', { simple: true }))
  const newest = Math.max(0, ...migrations.map((one) => one.number))
  if (current > newest)
    throw new Error(`"${file}" was written by a newer version of Skein (schema ${current}, this one knows ${newest})`)
  for (const { number, sql } of [...migrations].sort((a, b) => a.number - b.number)) {
    if (number <= current) continue
    db.transaction(() => {
      db.exec(sql)
      db.pragma(`user_version = ${number}`)
    })()
  }
}
