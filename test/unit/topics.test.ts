import { describe, expect, test } from 'vitest'
import {
  filterCovers,
  filterOf,
  permissionsOf,
  readTopic,
  replyTopicOf,
  roles,
  type TopicName,
  topicMatches,
  topicOf,
  topicTable,
} from '../../schemas/topics.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

const names = Object.keys(topicTable) as TopicName[] // Object.keys forgets the keys' type
const placesOf = (name: TopicName): string[] =>
  [...topicTable[name].pattern.matchAll(/\{([a-z0-9]+)\*?\}/g)].map((one) => one[1] ?? '')
/** Values of the longest and oddest form for every place of an entry. */
const valuesOf = (name: TopicName): Record<string, string> =>
  Object.fromEntries(
    placesOf(name).map((place, i) => [place, place === 'rest' || place === 'operation' ? 'task/submit' : `0${place}-${i}`]),
  )
const filled = (name: TopicName): string => topicOf('default', name, valuesOf(name) as never) // every place is a key of it

describe('the table of topics', () => {
  test.each(names)('%s: what topicOf() makes, readTopic() reads, and nobody else does', (name) => {
    expect(readTopic('default', filled(name))).toEqual({ name, params: valuesOf(name) })
    expect(readTopic('other', filled(name))).toBeUndefined()
    expect(readTopic('default', `${filled(name)}/`)?.name === name).toBe(/\*\}/.test(topicTable[name].pattern))
    expect(readTopic('default', filled(name).toUpperCase())).toBeUndefined()
  })

  test.each(names)('%s: at most 7 slashes, levels of a-z, 0-9 and -, no $ at the start', (name) => {
    const topic = topicOf('f'.repeat(63), name, valuesOf(name) as never) // every place is a key of it
    expect(topic.split('/').length - 1).toBeLessThanOrEqual(7)
    for (const level of topic.split('/')) expect(level).toMatch(/^[a-z0-9-]+$/)
  })

  test.each(names)('%s: its filter takes its topics and those of no other entry', (name) => {
    const filter = filterOf('default', name)
    expect(topicMatches(filter, filled(name))).toBe(true)
    for (const other of names) if (other !== name) expect([other, topicMatches(filter, filled(other))]).toEqual([other, false])
    expect(filterOf('default', name, valuesOf(name))).toBe(filled(name))
  })

  test('replies: the root of a client is no entry of its own, and below it are 3 levels of room', () => {
    expect(replyTopicOf('default', 'admin')).toBe('skein/v1/default/reply/admin')
    expect(topicMatches(filterOf('default', 'reply', { client: 'admin' }), replyTopicOf('default', 'admin'))).toBe(true)
    expect(topicMatches(filterOf('default', 'reply', { client: 'admin' }), replyTopicOf('default', 'admin2'))).toBe(false)
    expect(readTopic('default', 'skein/v1/default/reply/admin/a/b/c')?.params).toEqual({ client: 'admin', rest: 'a/b/c' })
  })

  test('commands are never retained; only heartbeats are QoS 0', () => {
    expect(topicTable.deviceCommand.retained).toBe(false)
    expect(names.filter((name) => topicTable[name].qos === 0)).toEqual(['deviceHeartbeat'])
    expect(names.filter((name) => topicTable[name].retained).sort()).toEqual(
      ['controllerRevoked', 'controllerState', 'deviceDesired', 'deviceInfo', 'deviceReported', 'deviceState', 'probe'].sort(),
    )
  })

  test.each(['device', 'viewer', 'operator', 'join'] as const)('a %s has its own requests, replies and subtree only', (role) => {
    const { publish, subscribe } = permissionsOf('default', role, 'me')
    for (const filter of publish) expect(filter).toMatch(/\/(request|device|probe)\/me\//)
    for (const filter of subscribe.filter((one) => one.includes('/reply/'))) expect(filter).toContain('/reply/me/')
    if (role === 'device')
      for (const filter of subscribe.filter((one) => one.includes('/device/'))) expect(filter).toContain('/device/me/')
    if (role === 'join') expect([publish.length, subscribe.length]).toEqual([1, 1])
  })

  test('nobody but the controller and the device itself writes what devices obey or say', () => {
    for (const role of roles) {
      const { publish } = permissionsOf('default', role, 'eve')
      const may = publish.some((filter) => filterCovers(filter, 'skein/v1/default/device/d1/command/run'))
      expect([role, may]).toEqual([role, role === 'controller'])
      expect([role, publish.some((filter) => filterCovers(filter, 'skein/v1/default/device/d1/run'))]).toEqual([role, false])
    }
  })
})

describe('topicMatches()', () => {
  test.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a/b/c', false],
    ['a/b/c', 'a/b', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a', false],
    ['a/+', 'a/', true],
    ['a/+/c', 'a/b/c', true],
    ['a/+', 'a/b/c', false],
    ['+/+', '/b', true],
    ['/+', '/b', true],
    ['+', '/b', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['$SYS/+', '$SYS/x', true],
    ['a/#', 'a/$x', true],
    ['A/b', 'a/b', false],
  ])('%s and %s: %s', (filter, topic, expected) => {
    expect(topicMatches(filter, topic)).toBe(expected)
  })
})

describe('filterCovers()', () => {
  test('what it grants is never wider than the filter it grants by', () => {
    const random = randomFrom(11)
    const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? ''
    const filter = (): string => {
      const levels = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(['a', 'b', '+', '$s']))
      return [...levels.slice(0, 3), ...(random() < 0.3 ? ['#'] : [])].slice(random() < 0.1 ? -1 : 0).join('/')
    }
    const topics = ['a', 'b', '$s'].flatMap((one) => [
      one,
      ...['a', 'b', ''].flatMap((two) => [`${one}/${two}`, `${one}/${two}/b`, `${one}/${two}/b/a`]),
    ])
    let covered = 0
    for (let i = 0; i < 20_000; i++) {
      const [granted, asked] = [filter(), filter()]
      if (!filterCovers(granted, asked)) continue
      covered++
      for (const topic of topics)
        if (topicMatches(asked, topic))
          expect([granted, asked, topic, topicMatches(granted, topic)]).toEqual([granted, asked, topic, true])
    }
    expect(covered).toBeGreaterThan(500)
  })
})
