import { closeSync, constants, fchmodSync, openSync, symlinkSync } from 'node:fs'
import { syncToDisk } from './file-io.ts'
import { inside, makeFolder, openFolder } from './folders.ts'
import type { Placing } from './placing.ts'
import { Refusal } from './refusal.ts'
import { createTurns } from './turns.ts'
import { createWay, nameOf } from './way.ts'

/** So many files are brought to the disk side by side. */
const atOnce = 4

/**
 * Does what comes last in a folder that has all its files: puts the links in, so that nothing was ever written where one may lead, and brings
 * files and folders to the disk, which takes most of it in one go when it comes to it only now.
 */
export const settle = async (
  root: number,
  entries: readonly { path: string; link?: string }[],
  placing: Pick<Placing, 'hasMade' | 'isOurs'>,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const ours = (path: string, fd: number): number => {
    if (placing.isOurs(path, fd)) return fd
    closeSync(fd)
    throw new Refusal('entry_mismatch', 'has been replaced by somebody while it was unpacked', path)
  }
  const way = createWay(root, {
    enter: (parent, name, path) =>
      placing.hasMade(path) ? ours(path, openFolder(inside(parent, name))) : makeFolder(parent, name),
    leave: (folder) => {
      fchmodSync(folder, 0o755)
      return syncToDisk(folder)
    },
  })
  const syncing = sideBySide(atOnce)
  const turn = createTurns()
  try {
    for (const { path, link } of entries) {
      await turn()
      signal?.throwIfAborted()
      const place = inside(await way.to(path), nameOf(path))
      if (link !== undefined) {
        symlinkSync(link, place)
        continue
      }
      const fd = ours(path, openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK))
      await syncing.add(() => syncToDisk(fd).finally(() => closeSync(fd)))
    }
    await way.end()
  } finally {
    await syncing.end()
    way.close()
  }
}

/** Does some things at a time. The first failure is thrown to whoever adds the next, or ends. */
const sideBySide = (most: number) => {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  const throwFirst = (): void => {
    if (failures.length > 0) throw failures.splice(0)[0]
  }
  return {
    add: async (work: () => Promise<void>): Promise<void> => {
      const one = work()
        .catch((error: unknown) => void failures.push(error))
        .finally(() => void running.delete(one))
      running.add(one)
      if (running.size >= most) await Promise.race(running)
      throwFirst()
    },
    end: async (): Promise<void> => {
      await Promise.all(running)
      throwFirst()
    },
  }
}
