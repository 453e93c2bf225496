import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Role, roles, type TopicName, topicTable } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { openRawMqtt, type RawConnect, type RawMqtt } from '../harness/raw-mqtt.ts'
import { startTestBroker, type TestBroker } from '../harness/test-broker.ts'

/** Every role against every topic of the table, its own and somebody else's, over real connections. */
let world: TestBroker
let raws: RawMqtt[] = []
beforeAll(async () => {
  world = await startTestBroker()
})
afterEach(() => {
  for (const raw of raws) raw.close()
  raws = []
})
afterAll(() => world.close())

const connected = async (how: RawConnect, to = world): Promise<RawMqtt> => {
  const raw = await openRawMqtt(to.broker.addresses.mqtt.url, how)
  raws.push(raw)
  expect(await raw.next('connack')).toMatchObject({ returnCode: 0 })
  return raw
}

const names = Object.keys(topicTable) as TopicName[] // Object.keys forgets the keys' type
/** The topic with a name in the place of its client or device. Written out here: the product's own way to fill it is what is tried. */
const filled = (name: TopicName, who: string): string =>
  `skein/v1/default/${topicTable[name].pattern.replace(/\{(client|device)\}/g, who).replace(/\{[a-z0-9]+\*?\}/g, 'x')}`
const isSomebodys = (name: TopicName): boolean => /\{(client|device)\}/.test(topicTable[name].pattern)

const includes = (list: readonly Role[], role: Role): boolean => list.includes(role)
/** Whether a role has a right to its own side of a topic, or to that of another. */
const covers = (name: TopicName, role: Role, isOwn: boolean): boolean => {
  if (isOwn || role === 'controller' || !isSomebodys(name)) return true
  return topicTable[name].pattern.includes('{device}') && role !== 'device'
}

/** What became of a publish: acknowledged, or the connection closed. */
const outcome = async (raw: RawMqtt): Promise<'passes' | 'is refused'> =>
  eventually('an answer', () =>
    raw.received.some((one) => one.cmd === 'puback') ? 'passes' : raw.isClosed() ? 'is refused' : undefined,
  )

describe.each(roles.map((role) => ({ role })))('$role', ({ role }) => {
  test.each(names.flatMap((name) => [true, false].map((isOwn) => ({ name, isOwn }))))(
    '$name, its own: $isOwn',
    async ({ name, isOwn }) => {
      const token = await world.token('me', role)
      const topic = filled(name, isOwn ? 'me' : 'other')
      const entry: { writers: readonly Role[]; readers: readonly Role[]; retained: boolean } = topicTable[name]
      const mayPublish = includes(entry.writers, role) && covers(name, role, isOwn)
      for (const retain of [false, true]) {
        const raw = await connected({ token })
        raw.send({ cmd: 'publish', topic, payload: '{}', qos: 1, retain, dup: false, messageId: 1 })
        const wanted = mayPublish && (!retain || entry.retained) ? 'passes' : 'is refused'
        expect(`${topic} ${retain} ${await outcome(raw)}`).toBe(`${topic} ${retain} ${wanted}`)
        if (wanted === 'is refused') expect(raw.received.map((one) => one.cmd)).toEqual(['connack'])
      }
      const willed = await openRawMqtt(world.broker.addresses.mqtt.url, { token, will: { topic, retain: false } })
      raws.push(willed)
      expect(await willed.next('connack')).toMatchObject({ returnCode: mayPublish ? 0 : 5 })

      const reader = await connected({ token })
      reader.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic, qos: 1 }] })
      const mayRead = includes(entry.readers, role) && covers(name, role, isOwn)
      expect(await reader.next('suback')).toMatchObject({ granted: [mayRead ? 1 : 128] })
    },
  )

  test('no filter that is wider than its rights, nor $ topics, nor shared subscriptions', async () => {
    const token = await world.token('me', role)
    const filters = [
      '#',
      '+/#',
      '/#',
      'skein/#',
      'skein/v1/#',
      'skein/v1/+/#',
      'skein/v1/default/#',
      'skein/v1/default/+/+/#',
      '$SYS/#',
      '$share/g/#',
      '$share/g/skein/v1/default/event/task',
      '+',
      'skein/v1/other/#',
    ]
    const raw = await connected({ token })
    raw.send({ cmd: 'subscribe', messageId: 3, subscriptions: filters.map((topic) => ({ topic, qos: 0 })) })
    expect(await raw.next('suback')).toMatchObject({ granted: filters.map(() => 128) })
    for (const topic of [
      '$SYS/broker/x',
      'skein',
      'skein/v1/default',
      'skein/v1/other/event/task',
      '/skein/v1/default/event/task',
    ]) {
      const one = await connected({ token })
      one.send({ cmd: 'publish', topic, payload: 'x', qos: 1, retain: false, dup: false, messageId: 1 })
      expect(await outcome(one)).toBe('is refused')
    }
  })
})

describe('rights are looked at again on delivery', () => {
  const secret = 'skein/v1/default/device/d1/desired'
  const publicTopic = 'skein/v1/default/device/d1/state'
  const payloads = (raw: RawMqtt): string[] =>
    raw.received.flatMap((one) => (one.cmd === 'publish' ? [one.payload.toString()] : []))

  test('what waited, what was not acknowledged and what is new: none of it reaches a token of fewer rights', async () => {
    const fresh = await startTestBroker() // with nothing retained by the tests above
    const admin = await fresh.token('admin', 'admin')
    const first = await connected({ token: admin, clientId: 'kept', clean: false }, fresh)
    const filters = ['skein/v1/default/device/+/desired', 'skein/v1/default/device/+/state']
    first.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) })
    await first.next('suback')
    const inside = fresh.broker.bus()
    inside.publish(secret, 'in flight')
    await first.next('publish') // not acknowledged
    first.close()
    await eventually('it has gone', () => fresh.broker.stats().sessionsKept === 1)
    inside.publish(secret, 'queued')
    inside.publish(publicTopic, 'queued too')
    const second = await connected({ token: await fresh.token('admin', 'viewer'), clientId: 'kept', clean: false }, fresh)
    expect(second.received[0]).toMatchObject({ sessionPresent: true })
    inside.publish(secret, 'live')
    inside.publish(publicTopic, 'live too')
    await eventually('the last', () => payloads(second).includes('live too'))
    expect(payloads(second)).toEqual(['queued too', 'live too'])
    await fresh.close()
  })
})
