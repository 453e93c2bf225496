import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { ReleaseEntry } from '../../schemas/release.ts'
import { type Bytes, openBytes } from './bytes.ts'
import { type Bounds, type Sound, soundManifest } from './manifest.ts'
import { manifestName } from './names.ts'
import { Refusal, shown } from './refusal.ts'
import { differenceOf } from './tar-difference.ts'
import { blockBytes, endBytes, headerOf, manifestHeader, paddingOf, readHeader } from './tar-header.ts'
import { createTurns } from './turns.ts'
import { unreadable, type WorkloadFile } from './workload-paths.ts'

export type FileEntry = Extract<ReleaseEntry, { size: number }>

export interface WorkloadText {
  path: string
  text: string
}

/** What becomes of what is read. */
export interface Taker {
  /** The manifest is sound: the entries will come as it says. Whoever throws here ends the reading. */
  begin: (sound: Pick<Sound, 'digest'>, manifest: Buffer) => void | Promise<void>
  /** A file comes. What comes too late to be refused has been taken already: it is right only once the reading has ended. */
  file: (entry: FileEntry, pieces: AsyncIterable<Buffer>) => Promise<void>
}

/**
 * Reads a bundle from its beginning to its end, and refuses it at the first byte that its manifest does not imply. A manifest and the
 * contents of its files make up all of an archive, so each header is compared with the only one that can stand there: no name, type,
 * mode, size or target of a link is ever taken from the archive itself.
 */
export const readBundle = async (
  file: string,
  bounds: Bounds,
  signal: AbortSignal | undefined,
  taker: Taker,
): Promise<Omit<Sound, 'ok'> & { workloadTexts: WorkloadText[] }> => {
  const bytes = await openBytes(file, bounds.bundleBytes, signal)
  try {
    const manifest = await takeManifest(bytes, bounds)
    const sound = await soundManifest(manifest, bounds)
    await taker.begin(sound, manifest)
    const { entries } = sound.manifest
    const texts = new Map<string, Buffer[]>(sound.workloadFiles.map(({ entry }) => [entry.path, []]))
    const turn = createTurns()
    for (const entry of entries) {
      await turn()
      await passHeader(bytes, entry, entries)
      if ('link' in entry) continue
      await taker.file(entry, checked(entry, bytes.pieces(entry.size), texts.get(entry.path)))
      await passZeros(
        bytes,
        paddingOf(entry.size),
        () => new Refusal('entry_mismatch', 'has something hidden behind it', entry.path),
      )
    }
    await passZeros(bytes, endBytes, (block) => differenceOf(block, undefined, entries))
    await bytes.end()
    return { ...sound, workloadTexts: sound.workloadFiles.map((one) => textOf(one, texts)) }
  } finally {
    await bytes.close()
  }
}

const takeManifest = async (bytes: Bytes, bounds: Bounds): Promise<Buffer> => {
  const block = await bytes.take(blockBytes)
  const header = readHeader(block)
  if (!header) throw new Refusal('manifest_missing', 'it does not begin as a bundle does')
  const { name, size } = header
  if (name !== manifestName) throw new Refusal('manifest_missing', `it begins with ${shown(name)}, and not with ${manifestName}`)
  if (size > bounds.manifestBytes)
    throw new Refusal('bundle_too_large', `its manifest has ${size} bytes, more than ${bounds.manifestBytes}`)
  if (!(size > 0) || !block.equals(manifestHeader(size)))
    throw new Refusal('manifest_invalid', 'the header of its manifest is not as it is to be')
  const manifest = await bytes.take(size)
  await passZeros(bytes, paddingOf(size), () => new Refusal('manifest_invalid', 'something is hidden behind its manifest'))
  return manifest
}

const passHeader = async (bytes: Bytes, due: ReleaseEntry, all: readonly ReleaseEntry[]): Promise<void> => {
  const wanted = headerOf(due)
  const block = await bytes.take(blockBytes)
  if (!block.equals(wanted.subarray(0, blockBytes))) throw differenceOf(block, due, all)
  const more = await bytes.take(wanted.length - blockBytes)
  if (!more.equals(wanted.subarray(blockBytes)))
    throw new Refusal('entry_mismatch', 'is not what the manifest says: its long header is another', due.path)
}

const passZeros = async (bytes: Bytes, count: number, refusal: (found: Buffer) => Refusal): Promise<void> => {
  const found = await bytes.take(count)
  if (found.some((byte) => byte !== 0)) throw refusal(found)
}

/** Passes on the content of a file, and refuses it at its end if it is another; a copy is kept where somebody wants one. */
async function* checked(entry: FileEntry, pieces: AsyncIterable<Buffer>, copy?: Buffer[]): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const piece of pieces) {
    hash.update(piece)
    copy?.push(Buffer.from(piece))
    yield piece
  }
  if (hash.digest('hex') !== entry.sha256)
    throw new Refusal('entry_mismatch', 'is not what the manifest says: it has another content', entry.path)
}

const textOf = ({ path, entry }: WorkloadFile, texts: ReadonlyMap<string, readonly Buffer[]>): WorkloadText => {
  const bytes = Buffer.concat(texts.get(entry.path) ?? [])
  if (!isUtf8(bytes)) throw unreadable(path, 'is not UTF-8')
  return { path, text: bytes.toString() }
}
