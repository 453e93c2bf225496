import { closeSync, constants, fchmodSync, openSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { type ReleaseManifest, releaseBounds } from '../../schemas/release.ts'
import { syncToDisk } from './file-io.ts'
import { makeFolder, removeFolder } from './folders.ts'
import { manifestName } from './names.ts'
import { createPlacing } from './placing.ts'
import { readBundle } from './read-bundle.ts'
import { codeOf, Refusal, type Refused, reasonOf, refusedBy } from './refusal.ts'
import { settle } from './settling.ts'

/**
 * Unpacks a bundle into a folder that it makes, if it is the release of that digest and nothing else. When it resolves, all of it is on
 * the disk. Before, nobody but its owner can look into the folder. If it is refused, or fails, the folder is removed.
 */
export const unpackBundle = async (
  file: string,
  digest: string,
  into: string,
  signal?: AbortSignal,
): Promise<{ ok: true; manifest: ReleaseManifest } | Refused> => {
  const open: number[] = []
  try {
    // The way to the folder is the device's own, and may have links of its people in it.
    const parent = openSync(dirname(resolve(into)), constants.O_RDONLY | constants.O_DIRECTORY)
    open.push(parent)
    const root = makeFolder(parent, basename(resolve(into)))
    open.push(root)
    try {
      const manifest = await fill(root, file, digest, signal)
      await syncToDisk(parent)
      return { ok: true, manifest }
    } catch (error) {
      await removeFolder(parent, basename(resolve(into)), root)
      signal?.throwIfAborted()
      return refusedBy(meddlings.has(codeOf(error) ?? '') ? meddled : error)
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw new Error(`Cannot unpack a release into ${JSON.stringify(into)}: ${reasonOf(error)}`, { cause: error })
  } finally {
    for (const fd of open.reverse()) closeSync(fd)
  }
}

/** In a folder that is ours alone, none of these can happen. */
const meddlings = new Set(['EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR'])
const meddled = new Refusal(
  'entry_mismatch',
  'what lies in the folder is not what was put there: somebody changes it meanwhile, or its disk does not tell all names apart',
)

const fill = async (root: number, file: string, digest: string, signal: AbortSignal | undefined): Promise<ReleaseManifest> => {
  const placing = createPlacing(root)
  try {
    const { manifest } = await readBundle(file, releaseBounds, signal, {
      begin: (sound, bytes) => {
        if (sound.digest !== digest) throw new Refusal('digest_mismatch', `it is the release ${sound.digest}, and not ${digest}`)
        return placing.put({ path: manifestName, executable: false }, [bytes])
      },
      file: placing.put,
    })
    await placing.end()
    await settle(root, [{ path: manifestName }, ...manifest.entries], placing, signal)
    fchmodSync(root, 0o755)
    await syncToDisk(root)
    return manifest
  } finally {
    placing.close()
  }
}
