import type { ReleaseEntry } from '../../schemas/release.ts'
import { maxFileBytes } from '../workload-files/file-faults.ts'
import type { Following } from './links.ts'
import { Refusal } from './refusal.ts'
import type { Folder, Tree } from './tree.ts'

/** As a device bounds it when it lists the files of a folder. */
const maxFiles = 1000
const maxTotalBytes = 8 * 1024 * 1024
/** Links can make few folders look like endlessly many. */
const mostFoldersSeen = 2000

/** A file of workloads: the path that it is read by, and the entry that has its text, which is elsewhere if a link leads to it. */
export interface WorkloadFile {
  path: string
  entry: Extract<ReleaseEntry, { size: number }>
}

/** Which files a device will read as workloads out of a release, in its order: what `listWorkloadFiles` finds in its folder `workloads`. */
export const workloadFilesOf = ({ root }: Tree, { meant }: Following): WorkloadFile[] => {
  const found: WorkloadFile[] = []
  let foldersSeen = 0
  let bytes = 0

  const take = (path: string, node: ReturnType<Following['meant']>): void => {
    if (node?.kind !== 'leaf' || 'link' in node.entry) throw unreadable(path, 'leads nowhere')
    bytes += node.entry.size
    if (node.entry.size > maxFileBytes) throw unreadable(path, `has ${node.entry.size} bytes, more than ${maxFileBytes}`)
    if (bytes > maxTotalBytes) throw unreadable(path, `is one too many: all together have more than ${maxTotalBytes} bytes`)
    found.push({ path, entry: node.entry })
    if (found.length > maxFiles) throw unreadable(path, `is one too many: there are more than ${maxFiles}`)
  }

  /** `above` are the folders that led here: a link into one of them would go round for ever. */
  const look = (path: string, folder: Folder, above: ReadonlySet<Folder>): void => {
    if (above.has(folder)) return
    if (++foldersSeen > mostFoldersSeen)
      throw unreadable(path, `is one too many: more than ${mostFoldersSeen} folders to look through`)
    const within = new Set([...above, folder])
    for (const [name, child] of [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (isSkipped(name)) continue
      const node = meant(child)
      if (node?.kind === 'folder') look(`${path}/${name}`, node, within)
      else if (/\.ya?ml$/.test(name)) take(`${path}/${name}`, node)
    }
  }

  const top = root.children.get('workloads')
  if (!top) return []
  const folder = meant(top)
  if (folder?.kind !== 'folder')
    throw new Refusal('type_refused', 'is where workloads are looked for, and has to be a folder', 'workloads')
  look('workloads', folder, new Set())
  return found
}

/** As `listWorkloadFiles` skips them. */
const isSkipped = (name: string): boolean =>
  name.startsWith('.') || name === 'node_modules' || /^(daemon|inventory)\.ya?ml$/.test(name)

/** Also for a text that turns out to be none. */
export const unreadable = (path: string, why: string): Refusal => new Refusal('workload_unreadable', why, path)
