import { closeSync, constants, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Identity, parseStat } from './process-table.ts'

/** What is written of a run in its folder. One file, begun by whoever claims the run, and continued by its shim line by line. */
export type Claim =
  | { by: 'nobody' }
  /** `shim` is missing for the moment between making the file and writing into it, and after a crash or on a full disk in it. */
  | {
      by: 'shim'
      shim: Identity | undefined
      boot: string | undefined
      leader: Identity | undefined
      exit: number | undefined
      /** Why the process that was to become the program did not. */
      refused: string | undefined
    }
  /** A daemon has decided that nothing is to start. */
  | { by: 'daemon'; code: number; reason: string }

export const readClaim = (folder: string): Claim => {
  const text = readIfThere(join(folder, 'claim'))
  return text === undefined ? { by: 'nobody' } : parseClaim(text)
}

/** Reads the lines of a claim. The last one counts only with its newline. */
export const parseClaim = (text: string): Claim => {
  const claim: Claim = { by: 'shim', shim: undefined, boot: undefined, leader: undefined, exit: undefined, refused: undefined }
  for (const line of text.split('\n').slice(0, -1)) {
    const [word, first = ''] = line.split(' ', 2)
    if (word === 'not_started') return { by: 'daemon', code: Number(first), reason: line.slice(`${word} ${first} `.length) }
    if (word === 'shim') {
      claim.boot = first
      claim.shim = identityIn(line.slice(`${word} ${first} `.length))
    } else if (word === 'pid') {
      claim.leader = identityIn(line.slice(`${word} `.length))
    } else if (word === 'refused') claim.refused = line.slice(`${word} `.length)
    else if (word === 'exit') claim.exit = Number(first)
  }
  return claim
}

const identityIn = (line: string): Identity | undefined => {
  const stat = parseStat(line)
  return stat && { pid: stat.pid, start: stat.start }
}

/** Makes the claim so that nothing can start any more; says so if the disk takes none. */
export const claimNotStarted = (folder: string, code: number, reason: string): 'made' | 'exists' | 'no-room' => {
  const path = join(folder, 'claim')
  try {
    writeFileSync(path, `not_started ${code} ${reason.replaceAll('\n', ' ')}\n`, { flag: 'wx', mode: 0o600 })
    return 'made'
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return 'exists'
    if (!isLackOfRoom(error)) throw error
    // One without its text would count as that of a shim. Nobody has written to it: the shim finds that it exists, and goes.
    rmSync(path, { force: true })
    return 'no-room'
  }
}

export const isLackOfRoom = (error: unknown): boolean => hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')

/** When the last line was written into a claim, in milliseconds since 1970; undefined if there is none. */
export const writtenAt = (folder: string): number | undefined => {
  const stat = statSync(join(folder, 'claim'), { throwIfNoEntry: false })
  return stat && Math.round(stat.mtimeMs)
}

/** Tells the shim that everything has been read. */
export const releaseShim = (folder: string): void => {
  let fd: number
  try {
    fd = openSync(join(folder, 'done'), constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    // ENXIO: no shim has it open. ENOENT: there never was one.
    if (hasCode(error, 'ENXIO') || hasCode(error, 'ENOENT')) return
    throw error
  }
  try {
    writeSync(fd, '\n')
  } finally {
    closeSync(fd)
  }
}

const readIfThere = (path: string): string | undefined => {
  // Of a run that is about to start there is none, and to ask first is cheaper than an exception.
  if (!existsSync(path)) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

export const hasCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code
