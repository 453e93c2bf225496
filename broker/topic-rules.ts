/** What is wrong with a topic to publish to; undefined if nothing is. Its bytes are known to be UTF-8 without NUL. */
export const faultOfTopic = (topic: string, levels: number): string | undefined => {
  if (topic === '') return 'a topic is empty' // [MQTT-4.7.3-1]
  let slashes = 0
  for (let at = 0; at < topic.length; at++) {
    const code = topic.charCodeAt(at)
    if (code === slash) slashes += 1
    else if (code === plus || code === hash) return 'a topic has a wildcard' // [MQTT-3.3.2-2]
  }
  return slashes < levels ? undefined : tooDeep(levels)
}

/** What is wrong with a filter to subscribe to. */
export const faultOfFilter = (filter: string, levels: number): string | undefined => {
  if (filter === '') return 'a filter is empty' // [MQTT-4.7.3-1]
  const parts = filter.split('/')
  if (parts.length > levels) return tooDeep(levels)
  for (const [i, part] of parts.entries()) {
    if (part.length > 1 && (part.includes('+') || part.includes('#'))) return 'a wildcard of a filter is no level of its own' // [MQTT-4.7.1-3]
    if (part === '#' && i < parts.length - 1) return 'something follows the # of a filter' // [MQTT-4.7.1-2]
  }
  return undefined
}

const slash = 47
const plus = 43
const hash = 35
const tooDeep = (levels: number): string => `a topic has more than ${levels} levels`
