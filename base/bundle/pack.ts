import { isUtf8 } from 'node:buffer'
import { createHash, randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { type Bundle, type ReleaseEntry, type ReleaseManifest, releaseBounds } from '../../schemas/release.ts'
import { archiveOf, inBlocks } from './archive.ts'
import { createFollowing } from './links.ts'
import { manifestBytes, sizeOf, soundManifest } from './manifest.ts'
import { type PathFault, Refusal, reasonOf } from './refusal.ts'
import { contentOf, hashOf } from './source-file.ts'
import { createTree } from './tree.ts'
import { type Found, mostFaults, walkFolder } from './walk.ts'
import { unreadable, type WorkloadFile } from './workload-paths.ts'

export interface Packed {
  ok: true
  manifest: ReleaseManifest
  digest: string
  bundle: Pick<Bundle, 'sha256' | 'size' | 'unpacked_bytes'>
  /** The paths of its files of workloads. */
  workloadFiles: string[]
}
export type Packing = Packed | { ok: false; faults: PathFault[] }

/**
 * Makes a bundle of a folder. The same contents give the same digest, whenever and however they came there, and the same bytes of a bundle
 * from the same Node. `into` is there when all of it is right, or not at all.
 */
export const packFolder = async (folder: string, into: string, signal?: AbortSignal): Promise<Packing> => {
  const walked = await walkFolder(folder)
  if (!walked.ok) return walked
  const { found } = walked
  try {
    sizeOf(found, releaseBounds)
    const linkFaults = faultsOfLinks(found)
    if (linkFaults.length > 0) return { ok: false, faults: linkFaults }
    const entries: ReleaseEntry[] = []
    for (const one of found) entries.push('link' in one ? one : { ...one, sha256: await hashOf(folder, one, signal) })
    const bytes = manifestBytes(entries)
    const sound = await soundManifest(bytes, releaseBounds)
    for (const one of sound.workloadFiles) await refuseNoText(folder, one)
    const bundle = await writeBundle(folder, bytes, entries, into, signal)
    return {
      ...{ ok: true, manifest: sound.manifest, digest: sound.digest },
      bundle: { ...bundle, unpacked_bytes: sound.unpackedBytes },
      workloadFiles: sound.workloadFiles.map(({ path }) => path),
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { ok: false, faults: [error.fault] }
  }
}

const faultsOfLinks = (found: readonly Found[]): PathFault[] => {
  const tree = createTree()
  const { meant } = createFollowing()
  // What is only known once it has been read takes no part in where links lead.
  const leaves = found.map((one) => tree.add('link' in one ? one : { ...one, sha256: '' }))
  const faults: PathFault[] = []
  for (const leaf of leaves)
    try {
      meant(leaf)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      faults.push(error.fault)
    }
  return faults.slice(0, mostFaults)
}

/** Here as well as where it is read: what is refused there is not made. */
const refuseNoText = async (folder: string, { path, entry }: WorkloadFile): Promise<void> => {
  const pieces: Buffer[] = []
  for await (const piece of contentOf(folder, entry)) pieces.push(Buffer.from(piece))
  if (!isUtf8(Buffer.concat(pieces))) throw unreadable(path, 'is not UTF-8')
}

/** Deflate may cut its output otherwise when its input comes in other pieces: it always comes in these. */
const pieceBytes = 256 * 1024
/** What is compressed once travels to many. */
const level = 6

const writeBundle = async (
  folder: string,
  manifest: Buffer,
  entries: readonly ReleaseEntry[],
  into: string,
  signal: AbortSignal | undefined,
): Promise<{ sha256: string; size: number }> => {
  const draft = `${into}.${randomUUID().slice(0, 8)}`
  const hash = createHash('sha256')
  let size = 0
  try {
    const out = await open(draft, 'wx', 0o666)
    await pipeline(
      inBlocks(archiveOf(folder, manifest, entries), pieceBytes),
      createGzip({ level, chunkSize: pieceBytes }),
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          size += chunk.length
          if (size > releaseBounds.bundleBytes)
            throw new Refusal('bundle_too_large', `has more than ${releaseBounds.bundleBytes} bytes when it is compressed`)
          hash.update(chunk)
          yield chunk
        }
      },
      out.createWriteStream(),
      signal ? { signal } : {},
    )
    await rename(draft, into)
  } catch (error) {
    if (error instanceof Refusal || signal?.aborted) throw error
    throw new Error(`Cannot write the bundle ${JSON.stringify(into)}: ${reasonOf(error)}`, { cause: error })
  } finally {
    await rm(draft, { force: true })
  }
  return { sha256: hash.digest('hex'), size }
}
