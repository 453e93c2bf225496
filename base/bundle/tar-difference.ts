import type { ReleaseEntry } from '../../schemas/release.ts'
import { faultOfLink, faultOfName } from './names.ts'
import { Refusal, shown } from './refusal.ts'
import { modeOf, readHeader } from './tar-header.ts'

/** What is wrong with a header that is not the one to come: `due` is the entry that it was to be of, and undefined behind the last. */
export const differenceOf = (block: Buffer, due: ReleaseEntry | undefined, all: readonly ReleaseEntry[]): Refusal => {
  if (block.every((byte) => byte === 0))
    return due
      ? new Refusal('entry_missing', 'is missing, and all behind it', due.path)
      : new Refusal('bundle_unreadable', 'its archive does not end as it is to')
  const header = readHeader(block)
  if (!header)
    return new Refusal('bundle_unreadable', `a header in its archive is damaged${due ? `, before ${shown(due.path)}` : ''}`)
  const { name, type } = header
  const word = types[type] ?? 'of a type that no release has'
  if (type !== '0' && type !== '2') return new Refusal('type_refused', `its archive has ${shown(name)}, which is ${word}`)
  const fault = faultOfName(name)
  if (fault !== undefined) return new Refusal('path_refused', `its archive has the path ${shown(name)}, which ${fault}`)
  if (due?.path !== name) return strayOf(name, due, all)
  return differenceFrom(due, header)
}

const types: Record<string, string> = {
  '1': 'a hard link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder: they follow from the paths',
  '6': 'a named pipe',
  '7': 'a contiguous file',
  S: 'a sparse file',
  x: 'an extended header that does not belong there',
  g: 'an extended header for all',
  L: 'a long name in the way of GNU',
  K: 'a long link in the way of GNU',
}

const strayOf = (name: string, due: ReleaseEntry | undefined, all: readonly ReleaseEntry[]): Refusal => {
  const at = all.findIndex(({ path }) => path === name)
  if (at === -1) return new Refusal('entry_unexpected', `its archive has ${shown(name)}, which is not in its manifest`)
  if (due && at > all.indexOf(due)) return new Refusal('entry_missing', `is missing: ${shown(name)} is in its place`, due.path)
  return new Refusal('entry_unexpected', `its archive has ${shown(name)} twice, or not where it is to be`)
}

const differenceFrom = (due: ReleaseEntry, { link, mode, size, type }: NonNullable<ReturnType<typeof readHeader>>): Refusal => {
  const mismatch = (what: string) => new Refusal('entry_mismatch', `is not what the manifest says: ${what}`, due.path)
  if ((mode & 0o7000) !== 0) return new Refusal('mode_refused', `has a mode that no release has: 0${mode.toString(8)}`, due.path)
  if ('link' in due) {
    if (type !== '2') return mismatch('it is a file and no link')
    const fault = faultOfLink(link)
    if (fault !== undefined) return new Refusal('link_refused', `is a link to ${shown(link)}, which ${fault}`, due.path)
    return mismatch(link === due.link ? 'its header is written otherwise' : `it leads to ${shown(link)}`)
  }
  if (type !== '0') return mismatch('it is a link and no file')
  if (size !== due.size) return mismatch(`it has ${size} bytes and not ${due.size}`)
  if (mode !== modeOf(due)) return mismatch(`its mode is 0${mode.toString(8)}`)
  return mismatch('its header is written otherwise')
}
