import { createHash } from 'node:crypto'
import { closeSync, createReadStream, ftruncateSync, openSync, statSync, writeSync } from 'node:fs'

/** A file that comes piece by piece from its beginning on, and is hashed on the way. */
export interface PartFile {
  /** How much of it is there. */
  at(): number
  write(bytes: Uint8Array): void
  /** Throws away what is there. */
  restart(): void
  /** The SHA-256 of what is there, in hex. */
  digest(): string
  close(): void
}

/** Opens what has come of a file before, or begins it. Nothing of it is longer than `size`. */
export const openPart = async (path: string, size: number): Promise<PartFile> => {
  const known = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  let hash = createHash('sha256')
  let at = 0
  if (known <= size && known > 0) {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      hash.update(chunk)
      at += chunk.length
    }
  }
  const fd = openSync(path, known > 0 ? 'r+' : 'w', 0o600)
  let isOpen = true
  try {
    if (known > at) ftruncateSync(fd, at)
  } catch (error) {
    closeSync(fd)
    throw error
  }

  return {
    at: () => at,
    write: (bytes) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
      hash.update(bytes)
      at += bytes.length
    },
    restart: () => {
      ftruncateSync(fd, 0)
      hash = createHash('sha256')
      at = 0
    },
    // Of a copy: a hash gives its digest once.
    digest: () => hash.copy().digest('hex'),
    close: () => {
      if (isOpen) closeSync(fd)
      isOpen = false
    },
  }
}
