import { closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs'
import { writeAll } from './file-io.ts'
import { inside, makeFolder } from './folders.ts'
import { modeOf } from './tar-header.ts'
import { createWay, nameOf } from './way.ts'

const anew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * Puts the files of a release into an open folder, in the order of the manifest; folders come into being on the way. Nothing is there
 * before: whatever is, somebody else has put there, and it fails. What it has made it knows again.
 */
export const createPlacing = (root: number) => {
  const made = new Map<string, string>()
  const way = createWay(root, {
    enter: (parent, name, path) => {
      const folder = makeFolder(parent, name)
      made.set(path, identityOf(folder))
      return folder
    },
  })
  return {
    put: async (file: { path: string; executable: boolean }, pieces: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<void> => {
      const { path } = file
      const fd = openSync(inside(await way.to(path), nameOf(path)), anew, modeOf(file))
      try {
        await writeAll(fd, pieces)
        // The umask may have taken something off.
        if ((fstatSync(fd).mode & 0o7777) !== modeOf(file)) fchmodSync(fd, modeOf(file))
        made.set(path, identityOf(fd))
      } finally {
        closeSync(fd)
      }
    },
    end: way.end,
    close: way.close,
    /** Whether there is something at a path: folders that have only links in them are not there yet. */
    hasMade: (path: string): boolean => made.has(path),
    /** Whether what was opened at a path is what was made there. */
    isOurs: (path: string, fd: number): boolean => made.get(path) === identityOf(fd),
  }
}
export type Placing = ReturnType<typeof createPlacing>

const identityOf = (fd: number): string => {
  const { dev, ino } = fstatSync(fd)
  return `${dev} ${ino}`
}
