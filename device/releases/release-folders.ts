import { randomUUID } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../base/log.ts'

/** What unpacks bundles, and looks at what it has unpacked; loaded when it is first needed. */
export interface BundleTools {
  unpack(
    file: string,
    digest: string,
    into: string,
    signal: AbortSignal,
  ): Promise<{ ok: true } | { ok: false; code: string; message: string }>
  /** What is not as it was when it was unpacked as this digest; undefined if all of it is. */
  verify(folder: string, digest: string): Promise<string | undefined>
}

export interface ReleaseFoldersDeps {
  root: string
  tools: () => Promise<BundleTools>
  log: Log
}

/** What is to stay. */
export interface Needed {
  digests: ReadonlySet<string>
  bundles: ReadonlySet<string>
}

/**
 * The folders of releases, each named by its digest. One is there as a whole or not at all: it is made under another name, and goes under
 * another name. Programs of any user pass through to them.
 */
export const createReleaseFolders = ({ root, tools, log }: ReleaseFoldersDeps) => {
  const folderOf = (digest: string): string => join(root, digest)

  /** Out of the way at once, and off the disk some time later. */
  const putAway = (name: string): Promise<void> => {
    const aside = join(root, `.old-${randomUUID()}`)
    renameSync(join(root, name), aside)
    return rm(aside, { recursive: true, force: true }).catch((error: unknown) =>
      log.warn({ err: error, folder: aside }, 'cannot remove what is left of a release'),
    )
  }

  return {
    folderOf,
    partOf: (sha256: string): string => join(root, `${sha256}.part`),
    isThere: (digest: string): boolean => existsSync(folderOf(digest)),
    prepare: (): void => {
      if (existsSync(root)) return
      mkdirSync(root, { recursive: true })
      // Whatever the umask: not to be listed, but passed through.
      chmodSync(root, 0o711)
    },
    /** What is wrong with a folder that is there; undefined if all of it is as its digest says. */
    fault: async (digest: string): Promise<string | undefined> => (await tools()).verify(folderOf(digest), digest),
    /** Unpacks a bundle; why it cannot be one of this digest, if it cannot. */
    unpack: async (file: string, digest: string, signal: AbortSignal): Promise<string | undefined> => {
      const { unpack } = await tools()
      const fresh = join(root, `.new-${digest}`)
      await rm(fresh, { recursive: true, force: true })
      const unpacked = await unpack(file, digest, fresh, signal)
      if (!unpacked.ok) return `${unpacked.code}: ${unpacked.message}`
      renameSync(fresh, folderOf(digest))
      syncFolder(root)
      return undefined
    },
    /** It is not to be used any more. */
    discard: (digest: string): Promise<void> => (existsSync(folderOf(digest)) ? putAway(digest) : Promise.resolve()),
    /** Removes what nobody needs, and gives the names of that; null as long as that is not known. At the start also what was left half done. */
    tidy: async (needed: Needed | null, isStart: boolean): Promise<string[]> => {
      const names = existsSync(root) ? readdirSync(root) : []
      const going = names.filter((name) => {
        const [stem = '', kind] = name.split('.')
        if (stem === '') return isStart
        return needed !== null && !(kind === 'part' ? needed.bundles.has(stem) : needed.digests.has(stem))
      })
      await Promise.all(going.map(putAway))
      return going
    },
  }
}
export type ReleaseFolders = ReturnType<typeof createReleaseFolders>

const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
