import { chmodSync, chownSync, lstatSync, readdirSync, type Stats, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { User } from './users.ts'

/**
 * Lets a user pass through to a folder, and says which one is in the way if that cannot be. Only folders in `data`, which are closed
 * to all others, are opened: they can be passed through then, not listed, and what else lies in them is closed instead.
 */
export const openWay = (folder: string, user: User, data: string): { ok: true } | { ok: false; closed: string } => {
  for (const path of foldersAbove(folder)) {
    const stat = statSync(path)
    const isClosed = !canPass(stat, user)
    if (isClosed && !isWithin(path, data)) return { ok: false, closed: path }
    // What has come into an open one since it was opened is closed as well.
    if (isWithin(path, data) && (isClosed || isWay(stat))) open(path)
  }
  return { ok: true }
}

/** From the root down, without the folder itself. */
const foldersAbove = (folder: string): string[] => {
  const parent = dirname(folder)
  return parent === folder ? [] : [...foldersAbove(parent), parent]
}

/** Whether a path is a folder, or below it. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

const canPass = ({ mode, uid, gid }: Stats, user: User): boolean => {
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  return user.uid === 0 || (mode & bit) !== 0
}

const wayMode = 0o711
const isWay = ({ mode }: Stats): boolean => (mode & 0o777) === wayMode

const open = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (!stat || stat.isSymbolicLink() || stat.uid !== process.geteuid?.() || (stat.isDirectory() && isWay(stat))) continue
    if ((stat.mode & 0o077) !== 0) chmodSync(path, stat.mode & 0o700)
  }
  chmodSync(folder, wayMode)
}

/** Gives something that was just made, and that nobody else can have replaced, to a user. */
export const give = (paths: readonly string[], { uid, gid }: User): void => {
  for (const path of paths) chownSync(path, uid, gid)
}
