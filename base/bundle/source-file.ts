import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { piecesOf } from './file-io.ts'
import { Refusal, reasonOf } from './refusal.ts'

/** Reads a file that is to be packed, and refuses one that is not what was found before. Each piece is over with the next. */
export async function* contentOf(folder: string, { path, size }: { path: string; size: number }): AsyncGenerator<Buffer> {
  const fd = openSource(folder, path)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile() || stat.size !== size) throw changed(path)
    let read = 0
    for await (const piece of piecesOf(fd, size)) {
      read += piece.length
      yield piece
    }
    if (read < size) throw changed(path)
  } finally {
    closeSync(fd)
  }
}

/** The SHA-256 of such a file. */
export const hashOf = async (folder: string, file: { path: string; size: number }, signal?: AbortSignal): Promise<string> => {
  const hash = createHash('sha256')
  for await (const piece of contentOf(folder, file)) {
    signal?.throwIfAborted()
    hash.update(piece)
  }
  return hash.digest('hex')
}

/** It is not what it was a moment ago. */
export const changed = (path: string): Refusal => new Refusal('entry_mismatch', 'has changed while it was packed', path)

const openSource = (folder: string, path: string): number => {
  try {
    // Somebody may put another thing in its place: no link is followed, and a named pipe is not waited for.
    return openSync(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw new Refusal('file_unreadable', `cannot be read: ${reasonOf(error)}`, path)
  }
}
