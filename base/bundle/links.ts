import { Refusal, shown } from './refusal.ts'
import type { Folder, Leaf } from './tree.ts'

/** So many links Linux follows on one way. */
const mostFollowed = 40

/** Where a link leads in the end: to what lies there, or so many names below it where nothing lies. */
export interface Destination {
  at: Folder | Leaf
  below: number
}

/**
 * Follows links as Linux does, in the tree of a release alone: that a link stays within, when it is read as text, is not enough, since `..`
 * behind another link goes up from where that one leads. Refuses one that leaves the release, or goes round in a circle.
 */
export const createFollowing = () => {
  const known = new Map<Leaf, Destination & { followed: number }>()

  const follow = (leaf: Leaf, link: string, depth: number): Destination & { followed: number } => {
    const found = known.get(leaf)
    if (found) return found
    const refuse = (why: string) => new Refusal('link_refused', `is a link to ${shown(link)}, which ${why}`, leaf.entry.path)
    let followed = 1
    let at: Folder | Leaf = leaf.parent
    let below = 0
    for (const name of link.split('/')) {
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (below > 0) below--
        else if (at.parent) at = at.parent
        else throw refuse('leaves the release')
        continue
      }
      const next: Folder | Leaf | undefined = below === 0 && at.kind === 'folder' ? at.children.get(name) : undefined
      if (!next) below++
      else if (next.kind === 'leaf' && 'link' in next.entry) {
        if (depth > mostFollowed) throw refuse('goes round in a circle')
        const further = follow(next, next.entry.link, depth + 1)
        at = further.at
        below = further.below
        followed += further.followed
      } else at = next
    }
    if (followed > mostFollowed) throw refuse(`leads over more than ${mostFollowed} links`)
    const destination = { at, below, followed }
    known.set(leaf, destination)
    return destination
  }

  /** What is meant by a node: itself, or where it leads if it is a link; undefined if nothing lies there. */
  const meant = (node: Folder | Leaf): Folder | Leaf | undefined => {
    if (node.kind === 'folder' || !('link' in node.entry)) return node
    const { at, below } = follow(node, node.entry.link, 1)
    return below === 0 ? at : undefined
  }
  return { meant }
}
export type Following = ReturnType<typeof createFollowing>
