import {
  filterCovers,
  filterOf,
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

/** The permissions of a role and subject, from the table of topics. Rules compare whole levels, never a prefix. */
export const permissionsFor = (fleet: string, role: Role, subject: string): Permissions => {
  const granted = permissionsOf(fleet, role, subject)
  const publish = matcherOf(granted.publish)
  const receive = matcherOf(granted.subscribe)
  return {
    mayPublish: (topic) => isTopic(topic) && publish(topic),
    mayRetain: (topic) => {
      const found = readTopic(fleet, topic)
      return found !== undefined && topicTable[found.name].retained
    },
    maySubscribe: (filter) => isFilter(filter) && granted.subscribe.some((one) => filterCovers(one, filter)),
    mayReceive: receive,
  }
}

/** What a device may do whose token has expired: ask for a new one, and hear the answer. */
export const renewalOnly = (fleet: string, device: string): Permissions => {
  const asking = topicOf(fleet, 'request', { client: device, operation: 'device/renew' })
  const answers = filterOf(fleet, 'reply', { client: device })
  const receive = matcherOf([answers])
  return {
    mayPublish: (topic) => topic === asking,
    mayRetain: () => false,
    maySubscribe: (filter) => isFilter(filter) && filterCovers(answers, filter),
    mayReceive: receive,
  }
}

/** Matches a topic against filters, read once; those without a wildcard, which a device has most of, cost one look. */
const matcherOf = (filters: readonly string[]): ((topic: string) => boolean) => {
  const exact = new Set(filters.filter((one) => !/[+#]/.test(one)))
  const wild = filters.filter((one) => /[+#]/.test(one)).map((one) => one.split('/'))
  return (topic) => {
    if (exact.has(topic)) return true
    if (wild.length === 0) return false
    const levels = topic.split('/')
    return wild.some((one) => levelsMatch(one, levels))
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
