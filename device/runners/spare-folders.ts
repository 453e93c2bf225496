import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { hasCode } from './run-folder.ts'

const batch = 16
const pipes = ['out', 'err', 'done']

/**
 * Folders with their named pipes, ready for the next run. Node cannot make a pipe itself, so one mkfifo makes those of many runs;
 * and new inodes are dear (on ext4 a folder 0.13 ms, a file in it 0.4 ms), so folders are used again.
 */
export const openSpareFolders = (home: string) => {
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { mode: 0o700 })
  const spares: string[] = []
  let made = 0

  const refill = (): void => {
    const folders = Array.from({ length: batch }, () => join(home, String(made++)))
    try {
      for (const folder of folders) mkdirSync(join(folder, 'work'), { mode: 0o700, recursive: true })
      makePipes(folders.flatMap((folder) => pipes.map((name) => join(folder, name))))
    } catch (error) {
      // Half made they are of no use, and it is tried again: each time they would take what room there is.
      for (const folder of folders) rmSync(folder, { recursive: true, force: true })
      throw error
    }
    spares.push(...folders)
  }

  return {
    take: (): string => {
      if (spares.length === 0) refill()
      const folder = spares.pop()
      if (folder === undefined) throw new Error(`Cannot make folders for runs in ${home}`)
      return folder
    },
    /** Puts back one in which nothing is left. */
    putBack: (folder: string): void => void spares.push(folder),
    /** Takes the folder of a run out of the way; undefined if there is none. */
    withdraw: (folder: string): string | undefined => {
      const spare = join(home, String(made++))
      try {
        renameSync(folder, spare)
        return spare
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined
        throw error
      }
    },
  }
}

/** Makes what a folder lacks that was there before its run was placed in it. */
export const completeFolder = (folder: string): void => {
  mkdirSync(join(folder, 'work'), { mode: 0o700, recursive: true })
  const missing = pipes.map((name) => join(folder, name)).filter((path) => !existsSync(path))
  if (missing.length > 0) makePipes(missing)
}

/** Makes named pipes that only this user can open. */
export const makePipes = (paths: readonly string[]): void => {
  try {
    execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    // It tells a full disk in words only: whether it is one is found by trying.
    for (const path of paths) {
      if (existsSync(path)) continue
      closeSync(openSync(path, 'wx'))
      rmSync(path)
      break
    }
    throw error
  }
}

const own = ['claim', 'script', 'setup']

/** Clears the folder of a run. False if the run has left something in it, or somebody who has hold of its pipes. */
export const clearFolder = (folder: string): boolean => {
  const names = readdirSync(folder)
  if (names.some((name) => name !== 'work' && !pipes.includes(name) && !own.includes(name))) return false
  const work = join(folder, 'work')
  if (readdirSync(work).length > 0 || (statSync(work).mode & 0o7777) !== 0o700) return false
  if (!isUnused(join(folder, 'out')) || !isUnused(join(folder, 'err'))) return false
  for (const name of names) if (own.includes(name)) unlinkSync(join(folder, name))
  return true
}

/** Nobody writes into the pipe any more, and nothing is in it: only then a read gives neither bytes nor "try again". */
const isUnused = (path: string): boolean => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return readSync(fd, Buffer.alloc(1)) === 0
  } catch (error) {
    if (hasCode(error, 'EAGAIN')) return false
    throw error
  } finally {
    closeSync(fd)
  }
}
