import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import type { ReleaseManifest } from '../../schemas/release.ts'
import { piecesOf } from './file-io.ts'
import { digestOf, manifestBytes } from './manifest.ts'
import { manifestName } from './names.ts'
import type { FileEntry } from './read-bundle.ts'
import { reasonOf, shown } from './refusal.ts'
import { modeOf } from './tar-header.ts'
import { createTree, type Folder, type Leaf } from './tree.ts'
import { createTurns } from './turns.ts'

export interface Verifying {
  /** What does not belong to the release is no difference: workloads may have put it there. */
  ignoresStrays?: boolean
  signal?: AbortSignal
}

/** The first thing in which an unpacked release is not byte for byte what it was; undefined if there is none. */
export const verifyFolder = async (
  folder: string,
  { entries }: ReleaseManifest,
  verifying: Verifying = {},
): Promise<string | undefined> => {
  const bytes = manifestBytes(entries)
  const tree = createTree()
  tree.add({ path: manifestName, executable: false, size: bytes.length, sha256: digestOf(bytes) })
  for (const entry of entries) tree.add(entry)
  return differenceIn(folder, '.', tree.root, { ...verifying, turn: createTurns() })
}

/** `path` is where it lies, `at` what it is in the release. */
const differenceIn = async (
  path: string,
  at: string,
  node: Folder | Leaf,
  verifying: Verifying & { turn: () => Promise<void> },
): Promise<string | undefined> => {
  await verifying.turn()
  verifying.signal?.throwIfAborted()
  const fault = await faultOf(path, node).catch((error: unknown) => `cannot be read: ${reasonOf(error)}`)
  if (fault !== undefined) return `${shown(at)} ${fault}`
  if (node.kind === 'leaf') return undefined
  const below = (name: string): string => (at === '.' ? name : `${at}/${name}`)
  const stray = verifying.ignoresStrays
    ? undefined
    : readdirSync(path)
        .sort()
        .find((name) => !node.children.has(name))
  if (stray !== undefined) return `${shown(below(stray))} does not belong to it`
  for (const [name, child] of node.children) {
    const difference = await differenceIn(`${path}/${name}`, below(name), child, verifying)
    if (difference !== undefined) return difference
  }
  return undefined
}

/** What is wrong with one thing, whatever lies in it if it is a folder. */
const faultOf = async (path: string, node: Folder | Leaf): Promise<string | undefined> => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return 'is missing'
  if (node.kind === 'folder') return stat.isDirectory() ? undefined : 'is no folder any more'
  if ('link' in node.entry)
    return stat.isSymbolicLink() && readlinkSync(path) === node.entry.link
      ? undefined
      : `is not the link to ${shown(node.entry.link)} any more`
  return stat.isFile() ? faultOfFile(path, node.entry) : 'is no file any more'
}

const faultOfFile = async (path: string, entry: FileEntry): Promise<string | undefined> => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { mode, size } = fstatSync(fd)
    if (size !== entry.size) return `has ${size} bytes and not ${entry.size}`
    if ((mode & 0o7777) !== modeOf(entry))
      return `has the mode 0${(mode & 0o7777).toString(8)} and not 0${modeOf(entry).toString(8)}`
    const hash = createHash('sha256')
    for await (const piece of piecesOf(fd, size)) hash.update(piece)
    return hash.digest('hex') === entry.sha256 ? undefined : 'has another content'
  } finally {
    closeSync(fd)
  }
}
