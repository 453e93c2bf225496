import { costOf, type Message, settled } from './message.ts'

/** The last retained message of each topic, as a tree of levels: an exact filter is a lookup, a wildcard walks its branch. */
export interface Retained {
  /** Keeps a message in place of the last one of its topic; an empty one removes it [MQTT-3.3.1-10]. False if there is no room. */
  keep(message: Message): boolean
  matching(filter: string): Numbered[]
  /** The message of this very topic. */
  of(topic: string): Numbered | undefined
  /** The number of the one that was kept last; they rise. */
  last(): number
  count(): number
  bytes(): number
}

export type Numbered = Message & { number: number }

interface Node {
  below: Map<string, Node> | undefined
  message: Numbered | undefined
}

export const createRetained = (limits: { retainedMessages: number; retainedBytes: number }): Retained => {
  const root: Node = { below: undefined, message: undefined }
  let count = 0
  let bytes = 0
  let last = 0

  const forget = (message: Message | undefined): void => {
    if (!message) return
    count -= 1
    bytes -= costOf(message)
  }

  const remove = (topic: string): void => {
    const levels = topic.split('/')
    const path: Node[] = [root]
    for (const level of levels) {
      const next = path[path.length - 1]?.below?.get(level)
      if (!next) return
      path.push(next)
    }
    const last = path[levels.length]
    if (!last?.message) return
    forget(last.message)
    last.message = undefined
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth]
      if (!node || node.message || (node.below?.size ?? 0) > 0) return
      path[depth - 1]?.below?.delete(levels[depth - 1] ?? '')
    }
  }

  const find = (topic: string): Node | undefined => {
    let node: Node | undefined = root
    for (const level of topic.split('/')) node = node?.below?.get(level)
    return node
  }

  const keep = (message: Message): boolean => {
    if (message.payload.length === 0) {
      remove(message.topic)
      return true
    }
    const before = find(message.topic)?.message
    const grown = costOf(message) - (before ? costOf(before) : 0)
    if (bytes + grown > limits.retainedBytes || (!before && count >= limits.retainedMessages)) return false
    let node = root
    for (const level of message.topic.split('/')) {
      node.below ??= new Map()
      let next = node.below.get(level)
      if (!next) {
        next = { below: undefined, message: undefined }
        node.below.set(level, next)
      }
      node = next
    }
    forget(node.message)

    last += 1
    node.message = { ...message, payload: settled(message.payload), number: last }
    count += 1
    bytes += costOf(message)
    return true
  }

  const matching = (filter: string): Numbered[] => {
    const levels = filter.split('/')
    const found: Numbered[] = []
    const all = (node: Node): void => {
      if (node.message) found.push(node.message)
      node.below?.forEach(all)
    }
    const walk = (node: Node, depth: number): void => {
      const level = levels[depth]
      if (level === undefined) {
        if (node.message) found.push(node.message)
      } else if (level === '#') {
        if (depth > 0 && node.message) found.push(node.message) // `a/#` matches `a` too
        node.below?.forEach((next, name) => {
          if (!isHidden(depth, name)) all(next)
        })
      } else if (level === '+') {
        node.below?.forEach((next, name) => {
          if (!isHidden(depth, name)) walk(next, depth + 1)
        })
      } else {
        const next = node.below?.get(level)
        if (next) walk(next, depth + 1)
      }
    }
    walk(root, 0)
    return found
  }

  return { keep, matching, of: (topic) => find(topic)?.message, last: () => last, count: () => count, bytes: () => bytes }
}

const isHidden = (depth: number, level: string): boolean => depth === 0 && level.startsWith('$') // [MQTT-4.7.2-1]
