import { once } from 'node:events'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type TransformOptions } from 'node:stream'
import { createGunzip, type ZlibOptions } from 'node:zlib'
import { Refusal, reasonOf } from './refusal.ts'

const chunkBytes = 256 * 1024
/** So much is made ready while something else is done with what came before: a third faster than with one chunk. */
const ahead: ZlibOptions & TransformOptions = { chunkSize: chunkBytes, readableHighWaterMark: 4 * chunkBytes }

/** Reads what is compressed in a file, and no further than it is asked for. Whatever cannot be read is a refusal. */
export const openBytes = async (file: string, maxBytes: number, signal: AbortSignal | undefined) => {
  const { stream, size } = await openFile(file, maxBytes)
  const gunzip = createGunzip(ahead)
  // What goes wrong comes out of the iteration as well.
  pipeline(stream, gunzip, () => undefined)
  const abort = (): void => void gunzip.destroy(signal?.reason)
  signal?.addEventListener('abort', abort)
  const chunks: AsyncIterator<Buffer> = gunzip[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)

  /** Whether there is more. */
  const fill = async (): Promise<boolean> => {
    while (rest.length === 0) {
      signal?.throwIfAborted()
      const next = await chunks.next().catch((error: unknown) => {
        signal?.throwIfAborted()
        throw new Refusal('bundle_unreadable', `it is no compressed archive, or damaged: ${reasonOf(error)}`)
      })
      if (next.done === true) return false
      rest = next.value
    }
    return true
  }

  /** Some of the next bytes: at least one, at most so many. */
  const some = async (most: number): Promise<Buffer> => {
    if (rest.length === 0 && !(await fill())) throw new Refusal('bundle_unreadable', 'it ends too early')
    const bytes = rest.subarray(0, most)
    rest = rest.subarray(bytes.length)
    return bytes
  }

  return {
    /** The next bytes, so many of them. */
    take: async (count: number): Promise<Buffer> => {
      if (count === 0) return Buffer.alloc(0)
      const first = await some(count)
      if (first.length === count) return first
      const whole = Buffer.alloc(count)
      first.copy(whole)
      for (let at = first.length; at < count; ) at += (await some(count - at)).copy(whole, at)
      return whole
    },
    /** The next bytes, piece by piece. */
    pieces: async function* (count: number): AsyncGenerator<Buffer> {
      for (let left = count; left > 0; ) {
        const piece = await some(left)
        left -= piece.length
        yield piece
      }
    },
    /** Refuses anything that comes still. */
    end: async (): Promise<void> => {
      if ((await fill()) || gunzip.bytesWritten !== size)
        throw new Refusal('entry_unexpected', 'something follows behind the end of its archive')
    },
    close: async (): Promise<void> => {
      signal?.removeEventListener('abort', abort)
      gunzip.destroy()
      stream.destroy()
      if (!stream.closed) await once(stream, 'close')
    },
  }
}
export type Bytes = Awaited<ReturnType<typeof openBytes>>

const openFile = async (file: string, maxBytes: number) => {
  // A named pipe would be waited for.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new Refusal('bundle_unreadable', `it cannot be read: ${reasonOf(error)}`)
  })
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new Refusal('bundle_unreadable', 'it is no regular file')
    if (stat.size === 0) throw new Refusal('bundle_unreadable', 'it is empty')
    if (stat.size > maxBytes) throw new Refusal('bundle_too_large', `it has ${stat.size} bytes, more than ${maxBytes}`)
    return { size: stat.size, stream: handle.createReadStream({ end: stat.size - 1, highWaterMark: chunkBytes }) }
  } catch (error) {
    await handle.close()
    throw error
  }
}
