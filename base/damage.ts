import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { type Db, type Migration, openDatabase } from './database.ts'
import { salvage } from './salvage.ts'

/** Whether an error says that a database file is broken, not only busy, full or missing. */
export const isDamage = (error: unknown): boolean => {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(one.code)) return true
  }
  return false
}

/** Notes that a database was found broken while it was in use: the next start does not trust it. */
export const suspect = (file: string): void => writeFileSync(suspicionOf(file), '')
const suspicionOf = (file: string): string => `${file}.suspect`

export interface SoundOptions {
  now: number
  exclusive?: boolean
  /** Brings over what can still be read, and then makes it agree with itself. Without it the new file begins empty. */
  repair?: (db: Db) => void
}

/** A file of this size is checked page by page at each start; a larger one only when something was wrong with it. */
const checkedBytes = 64 * 1024 * 1024

/**
 * Opens a database, and if its file is broken sets that aside and goes on with a new one: nobody is served by a program that cannot
 * start. `damage` tells what was found and done, for people.
 */
export const openSound = (
  file: string,
  migrations: readonly Migration[],
  options: SoundOptions,
): { db: Db; damage: string | null } => {
  const was = stateOf(file)
  const problem = existsSync(suspicionOf(file)) ? 'it could not be read any more while it was in use' : undefined
  if (problem === undefined) {
    let db: Db | undefined
    try {
      db = openDatabase(file, migrations, options)
      const found = checked(db, file)
      if (found === undefined) return { db, damage: was === 'empty' ? `"${file}" was empty: it begins anew` : null }
      db.close()
      return renewed(file, migrations, options, found)
    } catch (error) {
      db?.close()
      if (!isDamage(error)) throw error
      return renewed(file, migrations, options, causeOf(error))
    }
  }
  return renewed(file, migrations, options, problem)
}

const stateOf = (file: string): 'missing' | 'empty' | 'there' => {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  return size === undefined ? 'missing' : size === 0 && !existsSync(`${file}-wal`) ? 'empty' : 'there'
}

const checked = (db: Db, file: string): string | undefined => {
  const missing = missingBytes(db, file)
  if (missing > 0) return `its last ${missing} bytes are missing`
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > checkedBytes) return undefined
  const found = String(db.pragma('quick_check(1)', { simple: true }))
  return found === 'ok' ? undefined : found
}

/** What is cut off reads as zeros, which no other check takes amiss in a blob. Pages that are still in the log need not be in the file. */
const missingBytes = (db: Db, file: string): number => {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return 0
  const bytes = Number(db.pragma('page_count', { simple: true })) * Number(db.pragma('page_size', { simple: true }))
  return bytes - (statSync(file, { throwIfNoEntry: false })?.size ?? 0)
}

const renewed = (
  file: string,
  migrations: readonly Migration[],
  options: SoundOptions,
  problem: string,
): { db: Db; damage: string } => {
  const aside = `${file}.damaged-${new Date(options.now).toISOString().replace(/[-:.]/g, '')}`
  // Together with its log under the matching name, so that it can still be opened.
  for (const rest of ['', '-wal', '-shm']) if (existsSync(file + rest)) renameSync(file + rest, aside + rest)
  rmSync(suspicionOf(file), { force: true })
  const db = openDatabase(file, migrations, options)
  const head = `"${file}" is damaged (${problem}): it is set aside as "${aside}"`
  if (!options.repair) return { db, damage: `${head}, and begins anew` }
  const rows = salvage(aside, db)
  options.repair(db)
  return { db, damage: `${head}, and ${rows} rows could be brought over` }
}

const causeOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}
