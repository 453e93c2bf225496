import { fsync, read, write } from 'node:fs'
import { promisify } from 'node:util'

const writing = promisify(write)
const reading = promisify(read)

/** Brings a file, or a folder, to the disk. */
export const syncToDisk: (fd: number) => Promise<void> = promisify(fsync)

/** Large enough that what each read costs does not count. */
const pieceBytes = 256 * 1024

/** The next so many bytes of an open file, or fewer if it ends before. Each piece is over with the next. */
export async function* piecesOf(fd: number, size: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(1, size)))
  for (let left = size; left > 0; ) {
    const { bytesRead } = await reading(fd, buffer, 0, Math.min(buffer.length, left), null)
    if (bytesRead === 0) return
    left -= bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Writes pieces that stay what they are to an open file: one is written while the next is made. */
export const writeAll = async (fd: number, pieces: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> => {
  let last = Promise.resolve()
  try {
    for await (const piece of pieces) {
      await last
      last = writeWhole(fd, piece)
      last.catch(() => undefined) // it is waited for with the next piece
    }
  } finally {
    // Whoever closes the file does it afterwards.
    await last
  }
}

const writeWhole = async (fd: number, piece: Buffer): Promise<void> => {
  for (let at = 0; at < piece.length; ) at += (await writing(fd, piece, at, piece.length - at, null)).bytesWritten
}
