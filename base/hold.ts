import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { writeFileAtomic } from './atomic-file.ts'
import type { Closable } from './lifecycle.ts'

export type Hold = ({ ok: true } & Closable) | { ok: false; pid: number | undefined }

/**
 * Takes a folder for this process alone, as one `role` (`up`, `controller`). The lock is SQLite's on a file that holds nothing: the kernel frees it when the
 * process dies, however it dies, so that no stale lock is ever in the way. The holder's pid stands beside it for people.
 */
export const holdFolder = (folder: string, role: string, pid: number, waitMs = 500): Hold => {
  const pidFile = join(folder, `${role}.pid`)
  // It waits a little: a holder that is about to end, or that has not written its pid yet, gets the time for it.
  const db = new Database(join(folder, `${role}.lock`), { timeout: waitMs })
  try {
    db.exec('begin exclusive')
  } catch (error) {
    db.close()
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return { ok: false, pid: pidIn(pidFile) }
    throw new Error(`Cannot lock the folder "${folder}"`, { cause: error })
  }
  writeFileAtomic(pidFile, `${pid}\n`)
  return { ok: true, close: () => void db.close() }
}

/** Who has a folder, by its lock: a pid in a file alone may be anybody's by now. */
export const holderOfFolder = (folder: string, role: string): number | undefined => {
  const lock = join(folder, `${role}.lock`)
  if (!existsSync(lock)) return undefined
  const db = new Database(lock, { timeout: 0 })
  try {
    db.exec('begin exclusive')
    return undefined
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return pidIn(join(folder, `${role}.pid`))
    throw new Error(`Cannot look at the lock of "${folder}"`, { cause: error })
  } finally {
    db.close()
  }
}

const pidIn = (file: string): number | undefined => {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined // the lock says that somebody is there; the number is a courtesy
  }
}
