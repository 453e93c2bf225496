import { closeSync, constants, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { codeOf } from './refusal.ts'
import { createTurns } from './turns.ts'

/** What lies in an open folder: the way goes from there, so nobody can lead it elsewhere meanwhile. */
export const inside = (folder: number, name: string): string => `/proc/self/fd/${folder}/${name}`

/** Opens a folder, and no link to one. */
export const openFolder = (path: string | Buffer): number =>
  openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)

/** Makes a folder in an open one. */
export const makeFolder = (parent: number, name: string): number => {
  mkdirSync(inside(parent, name), { mode: 0o700 })
  return openFolder(inside(parent, name))
}

/** Removes a folder that was opened, with all that is in it, from the one that it lies in. No link is followed, whatever is put there meanwhile. */
export const removeFolder = async (parent: number, name: string, folder: number): Promise<void> => {
  const turn = createTurns()
  for (let tries = 1; ; tries++) {
    await emptyFolder(folder, turn)
    try {
      return rmdirSync(inside(parent, name))
    } catch (error) {
      // Another thing in its place is not ours to remove.
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return
      if (codeOf(error) !== 'ENOTEMPTY' || tries > mostTries) throw error
    }
  }
}

/** Somebody who puts things into a folder as fast as they are removed is given up on. */
const mostTries = 100

const emptyFolder = async (folder: number, turn: () => Promise<void>): Promise<void> => {
  for (let tries = 1; tries <= mostTries; tries++) {
    const names = readdirSync(`/proc/self/fd/${folder}`, 'buffer')
    if (names.length === 0) return
    for (const name of names) await removeIn(folder, name, turn)
  }
  throw new Error('somebody puts something into it again and again')
}

const removeIn = async (folder: number, name: Buffer, turn: () => Promise<void>): Promise<void> => {
  await turn()
  const path = Buffer.concat([Buffer.from(inside(folder, '')), name])
  try {
    return unlinkSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) !== 'EISDIR') throw error
  }
  try {
    const inner = openFolder(path)
    try {
      await emptyFolder(inner, turn)
    } finally {
      closeSync(inner)
    }
    rmdirSync(path)
  } catch (error) {
    // Somebody was faster, or has put something else there: it is seen when the folder above is looked at again.
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'ENOTEMPTY'].includes(codeOf(error) ?? '')) throw error
  }
}
