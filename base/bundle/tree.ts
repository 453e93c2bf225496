import { type ReleaseEntry, releaseBounds } from '../../schemas/release.ts'
import { Refusal, shown } from './refusal.ts'

export interface Folder {
  kind: 'folder'
  parent: Folder | undefined
  children: Map<string, Leaf | Folder>
}

/** A file or a link. */
export interface Leaf {
  kind: 'leaf'
  parent: Folder
  entry: ReleaseEntry
}

/** Paths of names imply folders, and a short text can imply very many. No release has more of them than it may have files. */
const mostFolders = releaseBounds.files

/** The folders that the paths of a release imply, with what lies in them. */
export const createTree = () => {
  const root: Folder = { kind: 'folder', parent: undefined, children: new Map() }
  let folders = 0
  let last = { path: '', folder: root }

  const folderOf = (path: string, names: readonly string[]): Folder => {
    if (path === last.path) return last.folder
    let folder = root
    for (const name of names) {
      let next = folder.children.get(name)
      if (!next) {
        if (++folders > mostFolders) throw new Refusal('bundle_too_large', `it has more than ${mostFolders} folders`)
        next = { kind: 'folder', parent: folder, children: new Map() }
        folder.children.set(name, next)
      }
      if (next.kind === 'leaf') {
        const code = 'link' in next.entry ? 'link_refused' : 'path_refused'
        throw new Refusal(code, `is no folder, and ${shown(path)} lies below it`, next.entry.path)
      }
      folder = next
    }
    last = { path, folder }
    return folder
  }

  return {
    root,
    /** Refuses what has a place already, or would lie below what is no folder. */
    add: (entry: ReleaseEntry): Leaf => {
      const names = entry.path.split('/')
      const name = names.pop() ?? ''
      const parent = folderOf(names.join('/'), names)
      if (parent.children.has(name)) throw new Refusal('path_refused', 'has the place of something else', entry.path)
      const leaf: Leaf = { kind: 'leaf', parent, entry }
      parent.children.set(name, leaf)
      return leaf
    },
  }
}
export type Tree = ReturnType<typeof createTree>
