import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import type { WorkloadSpec } from '../../schemas/workload.ts'

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Puts the files of a workload into its folder. That folder belongs to the user of the workload, who may have put links into it, and may
 * be doing so now: each step goes from an open folder to what lies in it, never by a path, so a link leads nowhere. What is put there
 * belongs to whom the folder belongs to.
 */
export const placeFiles = (folder: string, files: WorkloadSpec['files']): void => {
  if (files.length === 0) return
  // The way to the folder is the device's own, and may have links of its people in it.
  const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    for (const { path, content, mode } of files)
      placeFile(root, path.split('/').filter(isName), content, Number.parseInt(mode, 8))
  } finally {
    closeSync(root)
  }
}

const isName = (name: string): boolean => name !== '' && name !== '.'

const placeFile = (root: number, [name = '', ...rest]: readonly string[], content: string, mode: number): void => {
  const path = inside(root, name)
  if (rest.length === 0) {
    // Another one in its place: nothing is written through what is there. A folder is not emptied, because a link may come into it meanwhile.
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new Error(
        `Cannot put the file ${JSON.stringify(name)} into the folder of the workload: there is a folder of that name`,
      )
    rmSync(path, { force: true })
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode)
    try {
      writeFileSync(fd, content)
      giveAs(root, fd)
      fchmodSync(fd, mode)
    } finally {
      closeSync(fd)
    }
    return
  }
  const fd = folderIn(root, path)
  try {
    placeFile(fd, rest, content, mode)
  } finally {
    closeSync(fd)
  }
}

const inside = (folder: number, name: string): string => `/proc/self/fd/${folder}/${name}`

const folderIn = (parent: number, path: string): number => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat && !stat.isDirectory()) rmSync(path, { force: true })
  if (stat?.isDirectory()) return openSync(path, asFolder)
  mkdirSync(path, { mode: 0o755 })
  const fd = openSync(path, asFolder)
  giveAs(parent, fd)
  return fd
}

/** To the owner of the folder that it lies in. */
const giveAs = (parent: number, fd: number): void => {
  const { uid, gid } = fstatSync(parent)
  if (fstatSync(fd).uid !== uid) fchownSync(fd, uid, gid)
}
