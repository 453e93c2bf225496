import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { faultsOf } from '../../schemas/faults.ts'
import { ReleaseEntry, type ReleaseManifest, releaseBounds } from '../../schemas/release.ts'
import { isRecord } from '../../schemas/workload-forms.ts'
import { createFollowing, type Following } from './links.ts'
import { faultOfLink, faultOfName } from './names.ts'
import { Refusal, type Refused, refusedBy, shown } from './refusal.ts'
import { createTree, type Tree } from './tree.ts'
import { createTurns } from './turns.ts'
import { type WorkloadFile, workloadFilesOf } from './workload-paths.ts'

/** What a bundle may be, where less is wanted than a release may be. */
export type Bounds = Readonly<Record<'files' | 'manifestBytes' | 'bundleBytes' | 'unpackedBytes', number>>

/** A manifest that was found to be sound, and what follows from it. */
export interface Sound {
  ok: true
  digest: string
  manifest: ReleaseManifest
  unpackedBytes: number
  workloadFiles: WorkloadFile[]
}

/** The bytes of a manifest, which are the same for the same entries. */
export const manifestBytes = (entries: readonly ReleaseEntry[]): Buffer =>
  Buffer.from(`${opening}${entries.map(textOf).join(',')}${closing}`)

/** Names a release by its manifest. */
export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Reads the manifest of a release, and refuses what is not exactly as `manifestBytes` writes it, or cannot be put into a folder. */
export const readManifest = async (bytes: Uint8Array, bounds: Bounds = releaseBounds): Promise<Sound | Refused> => {
  try {
    return { ok: true, ...(await soundManifest(bytes, bounds)) }
  } catch (error) {
    return refusedBy(error)
  }
}

/** The same, where refusals are thrown. */
export const soundManifest = async (bytes: Uint8Array, bounds: Bounds): Promise<Omit<Sound, 'ok'>> => {
  if (bytes.length > bounds.manifestBytes)
    throw new Refusal('bundle_too_large', `its manifest has ${bytes.length} bytes, more than ${bounds.manifestBytes}`)
  if (!isUtf8(bytes)) throw invalid('is no UTF-8')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  const entries = await readEntries(text, listIn(text), bounds)
  const following = createFollowing()
  const tree = await soundTree(entries, following)
  const unpackedBytes = sizeOf(entries, bounds)
  const workloadFiles = workloadFilesOf(tree, following)
  return { digest: digestOf(bytes), manifest: { entries }, unpackedBytes, workloadFiles }
}

/** What all files of a release take together. */
export const sizeOf = (entries: readonly ({ size: number } | { link: string })[], bounds: Bounds): number => {
  const bytes = entries.reduce((sum, entry) => sum + ('link' in entry ? 0 : entry.size), 0)
  if (bytes > bounds.unpackedBytes)
    throw new Refusal('bundle_too_large', `its files have ${bytes} bytes, more than ${bounds.unpackedBytes}`)
  return bytes
}

/** The tree of entries whose paths do not get in each other's way, and whose links stay within. */
const soundTree = async (entries: readonly ReleaseEntry[], { meant }: Following): Promise<Tree> => {
  const tree = createTree()
  const turn = createTurns()
  const leaves = []
  for (const entry of entries) {
    await turn()
    leaves.push(tree.add(entry))
  }
  for (const leaf of leaves) {
    await turn()
    meant(leaf)
  }
  return tree
}

const opening = '{"entries":['
const closing = ']}'
const textOf = (entry: ReleaseEntry): string =>
  'link' in entry
    ? JSON.stringify({ path: entry.path, link: entry.link })
    : JSON.stringify({ path: entry.path, executable: entry.executable, size: entry.size, sha256: entry.sha256 })

const listIn = (text: string): unknown[] => {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value) && Array.isArray(value['entries']) && value['entries'].length > 0) return value['entries']
  } catch {
    throw invalid('is no JSON')
  }
  throw invalid('has no list of entries')
}

const readEntries = async (text: string, list: readonly unknown[], bounds: Bounds): Promise<ReleaseEntry[]> => {
  if (list.length > bounds.files)
    throw new Refusal('bundle_too_large', `it has ${list.length} files and links, more than ${bounds.files}`)
  const entries: ReleaseEntry[] = []
  let at = text.startsWith(opening) ? opening.length : -1
  let before = Buffer.alloc(0)
  const turn = createTurns()
  for (const [i, raw] of list.entries()) {
    await turn()
    const entry = readEntry(raw)
    const path = Buffer.from(entry.path)
    if (Buffer.compare(before, path) >= 0) throw invalid(`is not in order: ${shown(entry.path)} comes too late, or twice`)
    before = path
    const own = i === 0 ? textOf(entry) : `,${textOf(entry)}`
    // What was read must be all that is there: a second key of the same name would be read otherwise elsewhere.
    if (at === -1 || !text.startsWith(own, at)) throw invalid(`is not written as a manifest is, at ${shown(entry.path)}`)
    at += own.length
    entries.push(entry)
  }
  if (text.slice(at) !== closing) throw invalid('is not written as a manifest is, at its end')
  return entries
}

const readEntry = (raw: unknown): ReleaseEntry => {
  const { path, link } = isRecord(raw) ? raw : {}
  const pathFault = typeof path === 'string' ? faultOfName(path) : undefined
  if (pathFault !== undefined) throw new Refusal('path_refused', pathFault, String(path))
  const linkFault = typeof link === 'string' ? faultOfLink(link) : undefined
  if (linkFault !== undefined)
    throw new Refusal('link_refused', `is a link to ${shown(String(link))}, which ${linkFault}`, String(path))
  const read = ReleaseEntry.safeParse(raw)
  if (read.success) return read.data
  const fault = faultsOf(read.error)[0]
  throw invalid(
    `has an entry that is none, ${shown(String(path))}: ${fault ? `${fault.field}: ${fault.message}` : 'it is not as it is to be'}`,
  )
}

const invalid = (why: string): Refusal => new Refusal('manifest_invalid', `its manifest ${why}`)
