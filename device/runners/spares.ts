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
const keep = 64
const pipes = ['out', 'err', 'done']

/**
 * Folders with their named pipes, ready for the next run. Node cannot make a pipe itself, so one mkfifo makes those of many runs;
 * and new inodes are the dearest part of a short run on ext4 (a folder 0.13 ms, a file in it 0.4 ms), so folders are used again.
 */
export const openSpares = (runs: string) => {
  const home = join(runs, '.spare')
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { mode: 0o700 })
  const spares: string[] = []
  let made = 0
  const refill = (): void => {
    const folders = Array.from({ length: batch }, () => join(home, String(made++)))
    for (const folder of folders) mkdirSync(join(folder, 'work'), { mode: 0o700, recursive: true })
    makePipes(folders.flatMap((folder) => pipes.map((name) => join(folder, name))))
    spares.push(...folders)
  }
  return {
    /** Puts a folder with pipes there. One that is there already, from a start that got no further, is completed. */
    place: (folder: string): void => {
      if (existsSync(folder)) {
        complete(folder)
        return
      }
      if (spares.length === 0) refill()
      const spare = spares.pop()
      try {
        if (spare) renameSync(spare, folder)
      } catch (error) {
        if (!existsSync(folder)) throw error
        // Another starter was faster; its claim decides who runs it.
        complete(folder)
      }
    },
    /** Takes the folder of a run back if nothing of the run is left in it, or has hold of it. */
    takeBack: (folder: string): boolean => {
      if (spares.length >= keep || !isClean(folder)) return false
      const spare = join(home, String(made++))
      renameSync(folder, spare)
      spares.push(spare)
      return true
    },
  }
}

/** Makes named pipes that only this user can open. */
export const makePipes = (paths: readonly string[]): void => {
  execFileSync('mkfifo', ['-m', '600', ...paths], { stdio: ['ignore', 'ignore', 'pipe'] })
}

const complete = (folder: string): void => {
  mkdirSync(join(folder, 'work'), { mode: 0o700, recursive: true })
  const missing = pipes.map((name) => join(folder, name)).filter((path) => !existsSync(path))
  if (missing.length > 0) makePipes(missing)
}

const own = ['claim', 'script', 'order', 'tail', 'tail-2']

const isClean = (folder: string): boolean => {
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
