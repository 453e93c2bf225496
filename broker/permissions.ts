import {
  anySubject,
  filterCovers,
  filterOf,
  levelsCover,
  levelsMatch,
  permissionsOf,
  type Role,
  readTopic,
  topicOf,
  topicTable,
} from '../schemas/topics.ts'

/** What the holder of a token may do on the broker. */
export interface Permissions {
  mayPublish(topic: string): boolean
  /** Whether a publish without the right is acknowledged and dropped, instead of ending the connection [MQTT-3.3.5-2]. */
  ignores?(topic: string): boolean
  /** Whether the broker may keep a message of this topic. Asked besides mayPublish. */
  mayRetain(topic: string): boolean
  maySubscribe(filter: string): boolean
  mayReceive(topic: string): boolean
}

/**
 * The permissions of a role and subject, from the table of topics. Rules compare whole levels, never a prefix. They are read once for each
 * role, not for each of thousands of connections.
 */
export const permissionsIn = (fleet: string): ((role: Role, subject: string) => Permissions) => {
  const byRole = new Map<Role, Rules>()
  const rulesOf = (role: Role): Rules => {
    const known = byRole.get(role) ?? readRules(fleet, role)
    byRole.set(role, known)
    return known
  }
  const mayRetain = (topic: string): boolean => {
    const found = readTopic(fleet, topic)
    return found !== undefined && topicTable[found.name].retained
  }
  return (role, subject) => {
    const { mayPublish, mayReceive, subscribe } = rulesOf(role)
    return {
      mayPublish: (topic) => isTopic(topic) && mayPublish(topic, subject),
      mayRetain,
      maySubscribe: (filter) => {
        if (!isFilter(filter)) return false
        const levels = filter.split('/')
        return subscribe.some((one) => levelsCover(one, levels, subject))
      },
      mayReceive: (topic) => mayReceive(topic, subject),
    }
  }
}

interface Rules {
  mayPublish: Matcher
  mayReceive: Matcher
  /** The levels of each filter. */
  subscribe: readonly (readonly string[])[]
}

const readRules = (fleet: string, role: Role): Rules => {
  const { publish, subscribe } = permissionsOf(fleet, role, anySubject)
  return {
    mayPublish: matcherOf(publish),
    mayReceive: matcherOf(subscribe),
    subscribe: subscribe.map((one) => one.split('/')),
  }
}

/** What a device may do whose token has expired: ask for a new one, and hear the answer. */
export const renewalOnly = (fleet: string, device: string): Permissions => {
  const asking = topicOf(fleet, 'request', { client: device, operation: 'device/renew' })
  const answers = filterOf(fleet, 'reply', { client: device })
  const mayReceive = matcherOf([answers])
  return {
    mayPublish: (topic) => topic === asking,
    mayRetain: () => false,
    maySubscribe: (filter) => isFilter(filter) && filterCovers(answers, filter),
    mayReceive: (topic) => mayReceive(topic, device),
  }
}

type Matcher = (topic: string, subject: string) => boolean

/** Matches a topic against filters that were read once. Most have no wildcard: of those only the ones with the topic's last level are looked at. */
const matcherOf = (filters: readonly string[]): Matcher => {
  const exact = new Map<string, string[][]>()
  const wild: string[][] = []
  for (const filter of filters) {
    const levels = filter.split('/')
    const last = levels.at(-1) ?? ''
    if (/[+#]/.test(filter) || last === anySubject) wild.push(levels)
    else exact.set(last, [...(exact.get(last) ?? []), levels])
  }
  return (topic, subject) => {
    const levels = topic.split('/')
    const matches = (one: readonly string[]): boolean => levelsMatch(one, levels, subject)
    return exact.get(levels.at(-1) ?? '')?.some(matches) === true || wild.some(matches)
  }
}

// Wildcards in a topic [MQTT-3.3.2-2], NUL [MQTT-1.5.3-2], other control characters, and U+FFFD, which stands where bytes were not UTF-8.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notInTopics = /[+#\u0000-\u001f\u007f-\u009f\ufffd]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notInFilters = /[\u0000-\u001f\u007f-\u009f\ufffd]/

const isTopic = (topic: string): boolean => topic !== '' && !topic.startsWith('$') && !notInTopics.test(topic)

const isFilter = (filter: string): boolean => {
  if (filter === '' || filter.startsWith('$') || notInFilters.test(filter)) return false
  const levels = filter.split('/')
  // A wildcard is a level of its own, and `#` the last one [MQTT-4.7.1-2] [MQTT-4.7.1-3].
  return levels.every((level, i) => !/[+#]/.test(level) || level === '+' || (level === '#' && i === levels.length - 1))
}
