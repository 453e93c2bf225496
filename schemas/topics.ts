/**
 * Every topic of Skein, once: who writes, who reads, retained or not, QoS. Topic strings, subscriptions and permissions all
 * come from this table. `{client}` and `{device}` stand for one level, `{operation*}` and `{rest*}` for one or more.
 */
export const roles = ['admin', 'operator', 'viewer', 'device', 'join', 'controller'] as const
export type Role = (typeof roles)[number]

type Entry = { pattern: string; writers: readonly Role[]; readers: readonly Role[]; retained: boolean; qos: 0 | 1 }

const people = ['admin', 'operator', 'viewer'] as const
const readersOfDevices = [...people, 'controller'] as const

export const topicTable = {
  controllerState: entry('controller/state', ['controller'], [...people, 'device', 'controller'], { retained: true }),
  controllerRevoked: entry('controller/revoked', ['controller'], ['controller'], { retained: true }),
  request: entry('request/{client}/{operation*}', [...people, 'device', 'join'], ['controller']),
  reply: entry('reply/{client}/{rest*}', ['controller'], [...people, 'device', 'join']),
  event: entry('event/{kind}', ['controller'], people),
  deviceState: entry('device/{device}/state', ['device', 'controller'], readersOfDevices, { retained: true }),
  deviceInfo: entry('device/{device}/info', ['device'], readersOfDevices, { retained: true }),
  deviceHello: entry('device/{device}/hello', ['device'], ['controller']),
  deviceHeartbeat: entry('device/{device}/heartbeat', ['device'], readersOfDevices, { qos: 0 }),
  deviceRun: entry('device/{device}/run', ['device'], readersOfDevices),
  deviceLog: entry('device/{device}/log/{source}', ['device'], readersOfDevices),
  deviceAgent: entry('device/{device}/agent/{run}', ['device'], readersOfDevices),
  deviceDesired: entry('device/{device}/desired', ['controller'], ['device', 'admin'], { retained: true }),
  deviceReported: entry('device/{device}/reported', ['device'], readersOfDevices, { retained: true }),
  deviceCommand: entry('device/{device}/command/{verb}', ['controller'], ['device']),
  deviceFetch: entry('device/{device}/fetch', ['device'], ['controller']),
  deviceBlob: entry('device/{device}/blob/{sha256}/{offset}', ['controller'], ['device']),
  deviceUpload: entry('device/{device}/upload/{sha256}/{offset}', ['device'], ['controller']),
  probe: entry('probe/{client}/{rest*}', ['admin', 'operator'], ['admin', 'operator'], { retained: true }),
} as const

export type TopicName = keyof typeof topicTable

function entry<const P extends string>(
  pattern: P,
  writers: readonly Role[],
  readers: readonly Role[],
  how: { retained?: boolean; qos?: 0 | 1 } = {},
): Entry & { pattern: P } {
  return { pattern, writers, readers, retained: how.retained ?? false, qos: how.qos ?? 1 }
}

type ParamsOf<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { [K in Name extends `${infer Plain}*` ? Plain : Name]: string } & ParamsOf<Rest>
  : unknown

const root = (fleet: string): string => `skein/v1/${fleet}/`

/** A topic of the table with its places filled in. */
export const topicOf = <N extends TopicName>(
  fleet: string,
  name: N,
  params: ParamsOf<(typeof topicTable)[N]['pattern']>,
): string => root(fleet) + filled(topicTable[name].pattern, (place) => (params as Record<string, string>)[place] ?? '+') // every place is a key of params, by its type

/** The filter for one entry; a place that is not given matches anything. */
export const filterOf = (fleet: string, name: TopicName, params: Readonly<Record<string, string>> = {}): string =>
  root(fleet) + filled(topicTable[name].pattern, (place, many) => params[place] ?? (many ? '#' : '+'))

/** What the controller answers to when a request names no reply topic of its own. */
export const replyTopicOf = (fleet: string, client: string): string => `${root(fleet)}reply/${client}`

const filled = (pattern: string, value: (place: string, many: boolean) => string): string =>
  pattern.replace(/\{([a-z0-9]+)(\*?)\}/g, (_, place: string, many: string) => value(place, many === '*'))

/** Which entry a topic belongs to, and what stands in its places. */
export const readTopic = (
  fleet: string,
  topic: string,
): { name: TopicName; params: Readonly<Record<string, string>> } | undefined => {
  const start = root(fleet)
  if (!topic.startsWith(start)) return undefined
  const levels = topic.slice(start.length).split('/')
  for (const { name, parts } of parsed) {
    const params = matchParts(parts, levels)
    if (params) return { name, params }
  }
  return undefined
}

type Part = { literal: string } | { place: string; many: boolean }
const parsed = (Object.keys(topicTable) as TopicName[]).map((name) => ({
  // Object.keys forgets the keys' type
  name,
  parts: topicTable[name].pattern.split('/').map((level): Part => {
    const place = /^\{([a-z0-9]+)(\*?)\}$/.exec(level)
    return place ? { place: place[1] ?? '', many: place[2] === '*' } : { literal: level }
  }),
}))

const matchParts = (parts: readonly Part[], levels: readonly string[]): Record<string, string> | undefined => {
  const last = parts[parts.length - 1]
  const open = last !== undefined && 'many' in last && last.many
  if (open ? levels.length < parts.length : levels.length !== parts.length) return undefined
  const params: Record<string, string> = {}
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]
    const level = levels[i]
    if (part === undefined || level === undefined) return undefined
    if ('literal' in part) {
      if (part.literal !== level) return undefined
    } else params[part.place] = part.many ? levels.slice(i).join('/') : level
  }
  return params
}

/** The filters that a holder of a role may publish to or subscribe to. A device and a client have their own subtree only. */
export const permissionsOf = (fleet: string, role: Role, subject: string): { publish: string[]; subscribe: string[] } => {
  const own: Record<string, string> =
    role === 'controller' ? {} : role === 'device' ? { client: subject, device: subject } : { client: subject }
  const granted = (side: 'writers' | 'readers') =>
    (Object.keys(topicTable) as TopicName[])
      .filter((name) => topicTable[name][side].includes(role))
      .map((name) => filterOf(fleet, name, own))
  return { publish: granted('writers'), subscribe: granted('readers') }
}

/** Whether a topic matches a filter [MQTT-4.7]. */
export const topicMatches = (filter: string, topic: string): boolean => {
  // What differs in front of the first wildcard differs; most do.
  const plain = filter.search(wildcard)
  if (plain < 0) return filter === topic
  return topic.startsWith(filter.slice(0, Math.max(0, plain - 1))) && levelsMatch(filter.split('/'), topic.split('/'))
}

const wildcard = /[+#]/

/** As a subject it makes filters that are read once for all subjects: no level of a topic is like it. */
export const anySubject = '\0'

/** The same for the levels of both, where one of them is asked about again and again; `subject` is who `anySubject` stands for. */
export const levelsMatch = (wanted: readonly string[], levels: readonly string[], subject?: string): boolean => {
  if (levels[0]?.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false // [MQTT-4.7.2-1]
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true
    if (i >= levels.length) return false
    const level = wanted[i] === anySubject ? subject : wanted[i]
    if (level !== '+' && level !== levels[i]) return false
  }
  return wanted.length === levels.length
}

/** Whether everything that `asked` can match is matched by `granted` too. */
export const filterCovers = (granted: string, asked: string): boolean => levelsCover(granted.split('/'), asked.split('/'))

/** The same for the levels of both. */
export const levelsCover = (wide: readonly string[], narrow: readonly string[], subject?: string): boolean => {
  if (narrow[0]?.startsWith('$') && (wide[0] === '#' || wide[0] === '+')) return false // [MQTT-4.7.2-1]
  for (let i = 0; i < wide.length; i++) {
    if (wide[i] === '#') return true
    if (i >= narrow.length || narrow[i] === '#') return false
    const level = wide[i] === anySubject ? subject : wide[i]
    if (level !== '+' && level !== narrow[i]) return false
  }
  return wide.length === narrow.length
}
