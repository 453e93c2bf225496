import { isAlias, isMap, isPair, isScalar, isSeq, type Node, type YAMLSeq } from 'yaml'

export interface Child {
  offset: number
  node: Node | null
}

type Keyed = Child & { key: string | undefined }

/** What stands under a key of a map, or at a place in a list, with where its key begins. */
export const childOf = (node: Node | null, key: string): Child | undefined => {
  if (isSeq(node)) return /^\d+$/.test(key) && Number(key) < node.items.length ? itemOf(node, Number(key)) : undefined
  return childrenOf(node).find((one) => one.key === key)
}

export interface KeyFault extends Child {
  field: string
  code: string
  message: string
}

/** Keys that stand twice in one map, or that are no text: each has its line here, while the value that is made of them forgets it. */
export const keyFaults = (contents: Node | null): KeyFault[] => {
  const faults: KeyFault[] = []
  const open: { node: Node | null; path: string }[] = [{ node: contents, path: '' }]
  for (let next = open.pop(); next; next = open.pop()) {
    const seen = new Set<string>()
    for (const child of childrenOf(next.node)) {
      const { key, node, offset } = child
      const field = next.path === '' ? (key ?? '(key)') : `${next.path}.${key ?? '(key)'}`
      if (key === undefined) faults.push({ offset, node, field, code: 'invalid_key', message: 'must have a key that is text' })
      else if (seen.has(key)) faults.push({ offset, node, field, code: 'duplicate_key', message: 'is given twice' })
      if (key !== undefined) seen.add(key)
      open.push({ node, path: field })
    }
  }
  return faults
}

const childrenOf = (node: Node | null): Keyed[] => {
  if (isSeq(node)) return node.items.map((_, i) => itemOf(node, i))
  if (!isMap(node)) return []
  return node.items.map((pair) => childAt(keyOf(pair.key), pair.value, offsetOf(pair.key) ?? offsetOf(node)))
}

const itemOf = (list: YAMLSeq, i: number): Keyed => childAt(String(i), list.items[i], offsetOf(list.items[i]) ?? offsetOf(list))

const childAt = (key: string | undefined, item: unknown, offset: number | undefined): Keyed => ({
  key,
  // In a parsed document whatever is no pair is a node or missing.
  node: typeof item === 'object' && item !== null && !isPair(item) ? (item as Node) : null,
  offset: offset ?? 0,
})

/** Numbers and words such as `true` are text as well where they are keys; a merge (`<<`) is a symbol. */
const keyOf = (key: unknown): string | undefined =>
  isScalar(key) && key.value !== null && typeof key.value !== 'object' ? String(key.value) : undefined

const offsetOf = (node: unknown): number | undefined =>
  isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined
