import type { Qos } from './packets.ts'

/** Who subscribes to what, as a tree of the filters' levels: a topic finds its subscribers in steps, not by trying every filter. */
export interface FilterTree<S> {
  /** Enters a subscription, in place of the one that this subscriber has to the same filter [MQTT-3.8.4-3]. */
  add(filter: string, subscriber: S, qos: Qos): void
  remove(filter: string, subscriber: S): void
  /** Every subscription that matches, in no order; a subscriber comes once for each of its filters. */
  match(topic: string, found: (subscriber: S, qos: Qos) => void): void
  /** Whether any subscription matches. */
  has(topic: string): boolean
}

interface Node<S> {
  below: Map<string, Node<S>> | undefined
  here: Map<S, Qos> | undefined
}

export const createFilterTree = <S>(): FilterTree<S> => {
  const root: Node<S> = { below: undefined, here: undefined }

  const add = (filter: string, subscriber: S, qos: Qos): void => {
    let node = root
    for (const level of filter.split('/')) {
      node.below ??= new Map()
      let next = node.below.get(level)
      if (!next) {
        next = { below: undefined, here: undefined }
        node.below.set(level, next)
      }
      node = next
    }
    node.here ??= new Map()
    node.here.set(subscriber, qos)
  }

  const remove = (filter: string, subscriber: S): void => {
    const levels = filter.split('/')
    const path: Node<S>[] = [root]
    for (const level of levels) {
      const next = path[path.length - 1]?.below?.get(level)
      if (!next) return
      path.push(next)
    }
    path[levels.length]?.here?.delete(subscriber)
    // Branches that lead to nobody any more go, from the leaf down.
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth]
      if (!node || (node.here?.size ?? 0) > 0 || (node.below?.size ?? 0) > 0) return
      path[depth - 1]?.below?.delete(levels[depth - 1] ?? '')
    }
  }

  const match = (topic: string, found: (subscriber: S, qos: Qos) => void): void => {
    const levels = topic.split('/')
    const tell = (node: Node<S> | undefined): void => node?.here?.forEach((qos, subscriber) => found(subscriber, qos))
    const walk = (node: Node<S>, depth: number): void => {
      const { below } = node
      if (depth === levels.length) {
        tell(node)
        tell(below?.get('#')) // `a/#` matches `a` too
        return
      }
      if (!below) return
      const level = levels[depth] ?? ''
      const literal = below.get(level)
      if (literal) walk(literal, depth + 1)
      if (depth === 0 && level.startsWith('$')) return // [MQTT-4.7.2-1]
      const any = below.get('+')
      if (any) walk(any, depth + 1)
      tell(below.get('#'))
    }
    walk(root, 0)
  }

  const has = (topic: string): boolean => {
    let isFound = false
    match(topic, () => {
      isFound = true
    })
    return isFound
  }

  return { add, remove, match, has }
}
