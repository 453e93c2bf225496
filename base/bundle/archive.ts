import { createHash } from 'node:crypto'
import type { ReleaseEntry } from '../../schemas/release.ts'
import { changed, contentOf } from './source-file.ts'
import { endBytes, headerOf, manifestHeader, paddingOf } from './tar-header.ts'

/** The tar of a release, piece by piece; a piece is over with the next. Refuses a file that is not what the manifest says any more. */
export async function* archiveOf(folder: string, manifest: Buffer, entries: readonly ReleaseEntry[]): AsyncGenerator<Buffer> {
  yield manifestHeader(manifest.length)
  yield manifest
  yield zeros(paddingOf(manifest.length))
  for (const entry of entries) {
    yield headerOf(entry)
    if ('link' in entry) continue
    const hash = createHash('sha256')
    for await (const piece of contentOf(folder, entry)) {
      hash.update(piece)
      yield piece
    }
    if (hash.digest('hex') !== entry.sha256) throw changed(entry.path)
    yield zeros(paddingOf(entry.size))
  }
  yield zeros(endBytes)
}

/** The same bytes in blocks that are all of one size, but the last; each stays what it is. */
export async function* inBlocks(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafeSlow(size)
  let filled = 0
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; ) {
      const count = piece.copy(block, filled, at)
      at += count
      filled += count
      if (filled < size) continue
      yield block
      block = Buffer.allocUnsafeSlow(size)
      filled = 0
    }
  if (filled > 0) yield block.subarray(0, filled)
}

const zeros = (count: number): Buffer => Buffer.alloc(count)
