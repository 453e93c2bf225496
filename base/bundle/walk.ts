import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs'
import { releaseBounds } from '../../schemas/release.ts'
import { type Ignoring, ignoreName, readIgnore } from './ignore.ts'
import { faultOfLink, faultOfName } from './names.ts'
import { type BundleCode, codeOf, type PathFault, reasonOf } from './refusal.ts'
import { createTurns } from './turns.ts'

/** What lies in a folder that is to become a release, before it has been read. */
export type Found = { path: string; executable: boolean; size: number } | { path: string; link: string }

/** So many faults are told; nobody reads more before the next try. */
export const mostFaults = 100

/** Looks through a folder: what a release of it will have, in the order of the manifest, or all that is in the way of one. */
export const walkFolder = async (folder: string): Promise<{ ok: true; found: Found[] } | { ok: false; faults: PathFault[] }> => {
  const ignoring = ignoringIn(folder)
  if (!ignoring.ok) return ignoring
  const found: Found[] = []
  const faults: PathFault[] = []
  const tell = (path: string, code: BundleCode, message: string): void => void faults.push({ path, code, message })
  const turn = createTurns()

  const look = async (path: string, at: string): Promise<void> => {
    for (const name of readdirSync(path, 'buffer')) {
      // Whatever comes further, it is refused.
      if (found.length > releaseBounds.files || faults.length >= mostFaults) return
      await turn()
      const below = `${at}${name.toString()}`
      try {
        await take(Buffer.concat([Buffer.from(`${path}/`), name]), below, Buffer.from(name.toString()).equals(name))
      } catch (error) {
        tell(below, 'file_unreadable', `cannot be read: ${reasonOf(error)}`)
      }
    }
  }

  const take = async (here: Buffer, path: string, isText: boolean): Promise<void> => {
    const state = lstatSync(here)
    if (ignoring.isIgnored(path, state.isDirectory())) return
    const fault = isText ? faultOfName(path) : 'is no UTF-8'
    if (fault !== undefined) tell(path, 'path_refused', fault)
    else if (state.isDirectory()) await look(here.toString(), `${path}/`)
    else if (state.isSymbolicLink()) takeLink(path, readlinkSync(here, 'buffer'))
    else takeFile(path, state)
  }

  const takeLink = (path: string, bytes: Buffer): void => {
    const link = bytes.toString()
    const fault = Buffer.from(link).equals(bytes) ? faultOfLink(link) : 'is no UTF-8'
    if (fault === undefined) found.push({ path, link })
    else tell(path, 'link_refused', `is a link to ${JSON.stringify(link.slice(0, 100))}, which ${fault}`)
  }

  const takeFile = (path: string, state: Stats): void => {
    if (!state.isFile()) tell(path, 'type_refused', `is ${wordOf(state)}: a release has files, folders and links only`)
    else if ((state.mode & 0o7000) !== 0)
      tell(path, 'mode_refused', `has the mode 0${(state.mode & 0o7777).toString(8)}, with a bit that gives it rights`)
    else found.push({ path, executable: (state.mode & 0o100) !== 0, size: state.size })
  }

  try {
    await look(folder, '')
  } catch (error) {
    tell('.', 'file_unreadable', `cannot be read: ${reasonOf(error)}`)
  }
  if (found.length > releaseBounds.files) tell('.', 'bundle_too_large', `has more than ${releaseBounds.files} files and links`)
  else if (found.length === 0 && faults.length === 0) tell('.', 'entry_missing', 'has no files')
  // The same folder tells the same, in whatever order the disk gives it.
  return faults.length > 0 ? { ok: false, faults: inOrder(faults) } : { ok: true, found: inOrder(found) }
}

const inOrder = <T extends { path: string }>(list: readonly T[]): T[] =>
  list
    .map((one) => ({ one, key: Buffer.from(one.path) }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ one }) => one)

const ignoringIn = (folder: string): Ignoring => {
  try {
    const file = `${folder}/${ignoreName}`
    // A named pipe would be waited for.
    if (!statSync(file).isFile()) return unreadable('it is no regular file')
    return readIgnore(readFileSync(file, 'utf8'))
  } catch (error) {
    return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' ? readIgnore('') : unreadable(reasonOf(error))
  }
}

const unreadable = (why: string): Ignoring => ({
  ok: false,
  faults: [{ path: ignoreName, code: 'file_unreadable', message: `cannot be read: ${why}` }],
})

const wordOf = (state: Stats): string => {
  if (state.isFIFO()) return 'a named pipe'
  if (state.isSocket()) return 'a socket'
  return 'a device'
}
