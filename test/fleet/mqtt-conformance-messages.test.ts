import type { Packet } from 'mqtt-packet'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type OpenBroker, type OpenClient, startOpenBroker } from '../harness/open-broker.ts'

/** MQTT 3.1.1, chapters 3.1.2.4, 3.3 to 3.11, 4.1 and 4.3 to 4.7: messages, subscriptions and sessions, against `skein broker --open`. */
let broker: OpenBroker
beforeAll(async () => {
  broker = await startOpenBroker()
})
afterEach(() => broker.closeClients())
afterAll(() => broker.close())

type Publish = Extract<Packet, { cmd: 'publish' }>
const publishesOf = (client: OpenClient): Publish[] => client.received.filter((one) => one.cmd === 'publish')
/** Without what other tests have left retained. */
const live = (client: OpenClient): [string, string][] =>
  publishesOf(client).flatMap((one): [string, string][] => (one.retain ? [] : [[one.topic, one.payload.toString()]]))
/** Topics and retained messages of a test are its own. */
let rooms = 0
const room = (): string => {
  rooms += 1
  return `room${rooms}`
}
/** Subscribes a new client, and has it and the publisher. */
const pair = async (filter: string, qos: 0 | 1 | 2 = 2): Promise<{ from: OpenClient; to: OpenClient }> => {
  const to = await broker.client()
  await to.subscribe(filter, qos)
  return { from: await broker.client(), to }
}
const arrived = async (client: OpenClient, count: number): Promise<Publish[]> => {
  await eventually(`${count} messages`, () => publishesOf(client).length >= count)
  await client.say()
  return publishesOf(client)
}

describe('3.3 PUBLISH', () => {
  test.each<[0 | 1 | 2, 0 | 1 | 2]>([0, 1, 2].flatMap((a) => [0, 1, 2].map((b): [0 | 1 | 2, 0 | 1 | 2] => [qosOf(a), qosOf(b)])))(
    '[MQTT-3.8.4-6] [MQTT-3.3.2-3] [MQTT-3.3.1-3] QoS %i to a subscription of QoS %i comes at the lower one, behind a wildcard too, with DUP and RETAIN 0',
    async (published, granted) => {
      const here = room()
      for (const filter of [`${here}/t`, `${here}/+`, `${here}/#`]) {
        const { from, to } = await pair(filter, granted)
        await from.publish(`${here}/t`, 'm', { qos: published })
        const [one] = await arrived(to, 1)
        expect(one).toMatchObject({ topic: `${here}/t`, qos: Math.min(published, granted), dup: false, retain: false })
        expect(publishesOf(to)).toHaveLength(1)
        to.close()
      }
    },
  )
  test('[MQTT-3.3.1-2] DUP with QoS 0, [MQTT-3.3.1-4] QoS 3, [MQTT-3.3.2-1] no topic, [MQTT-3.3.2-2] wildcards and [MQTT-4.7.3-1] an empty topic close the connection', async () => {
    for (const bytes of [
      [0x38, 3, 0, 1, 0x61],
      [0x36, 5, 0, 1, 0x61, 0, 1],
      [0x30, 0],
      [0x30, 1, 0],
      [0x30, 4, 0, 2, 0x61, 0x23],
      [0x30, 5, 0, 3, 0x61, 0x2f, 0x2b],
      [0x30, 2, 0, 0],
    ]) {
      const client = await broker.client()
      client.sendBytes(Buffer.from(bytes))
      await client.closed()
    }
  })
  test('[MQTT-3.3.4-1] [MQTT-3.4.4] [MQTT-4.3.1-1] [MQTT-4.3.2-2] QoS 0 is answered by nothing, 1 by PUBACK, 2 by PUBREC', async () => {
    const client = await broker.client()
    await client.publish(room(), '', { qos: 0 })
    await client.publish(room(), '', { qos: 1, id: 11 })
    await client.publish(room(), '', { qos: 2, id: 12 })
    const answers = client.received.filter((one) => one.cmd !== 'pingresp' && one.cmd !== 'connack')
    expect(answers.map((one) => [one.cmd, one.messageId])).toEqual([
      ['puback', 11],
      ['pubrec', 12],
    ])
  })
  test('an empty payload is a message too', async () => {
    const here = room()
    const { from, to } = await pair(here)
    await from.publish(here, '')
    expect((await arrived(to, 1))[0]?.payload).toHaveLength(0)
  })
  test('[MQTT-3.3.5-1] overlapping subscriptions bring one message, at the highest QoS that matches, in every order of them', async () => {
    const here = room()
    for (const qoses of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const to = await broker.client()
      for (const [i, filter] of [`${here}/#`, `${here}/+`, `${here}/a`].entries())
        await to.subscribe(filter, qosOf(qoses[i] ?? 0))
      const from = await broker.client()
      await from.publish(`${here}/a`, 'once', { qos: 2 })
      expect((await arrived(to, 1)).map((one) => one.qos)).toEqual([2])
      to.close()
    }
  })
  test('a client hears what it publishes itself', async () => {
    const here = room()
    const { to } = await pair(here)
    await to.publish(here, 'mine')
    expect(to.messages()).toEqual([[here, 'mine']])
  })
})

describe('3.3.1.3 RETAIN', () => {
  test('[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8] [MQTT-3.3.1-9] the last one is kept with its QoS, and comes marked; a live one is not marked', async () => {
    const here = room()
    const from = await broker.client()
    await from.publish(here, 'first', { retain: true })
    await from.publish(here, 'second', { retain: true, qos: 1 })
    const to = await broker.client()
    await to.subscribe(here, 2)
    await from.publish(here, 'third', { retain: true })
    const found = (await arrived(to, 2)).map((one) => [one.payload.toString(), one.retain, one.qos])
    expect(found).toEqual([
      ['second', true, 1],
      ['third', false, 0],
    ])
  })
  test('[MQTT-3.3.1-7] a retained message of QoS 0 replaces the one before', async () => {
    const here = room()
    const from = await broker.client()
    await from.publish(here, 'old', { retain: true, qos: 2 })
    await from.publish(here, 'new', { retain: true, qos: 0 })
    const to = await broker.client()
    await to.subscribe(here)
    expect((await arrived(to, 1)).map((one) => one.payload.toString())).toEqual(['new'])
  })
  test('[MQTT-3.3.1-10] [MQTT-3.3.1-11] an empty one removes it, is passed on as a message, and is not kept', async () => {
    const here = room()
    const from = await broker.client()
    await from.publish(here, 'kept', { retain: true })
    const { to } = await pair(here)
    await from.publish(here, '', { retain: true })
    expect((await arrived(to, 2)).map((one) => [one.payload.toString(), one.retain])).toEqual([
      ['kept', true],
      ['', false],
    ])
    const later = await broker.client()
    await later.subscribe(here)
    await later.say()
    expect(later.messages()).toEqual([])
  })
  test('[MQTT-3.3.1-12] a message without RETAIN is not kept and removes nothing', async () => {
    const here = room()
    const from = await broker.client()
    await from.publish(here, 'kept', { retain: true })
    await from.publish(here, 'passing')
    const { to } = await pair(here)
    expect((await arrived(to, 1)).map((one) => one.payload.toString())).toEqual(['kept'])
  })
  test('retained messages are found by exact filters and by every kind of wildcard', async () => {
    const here = room()
    const from = await broker.client()
    const topics = ['', '/a', '/a/b', '/a/b/c', '/b', '//x'].map((one) => `${here}${one}`)
    for (const topic of topics) await from.publish(topic, 'r', { retain: true })
    const find = async (filter: string, expected: readonly string[]): Promise<void> => {
      const to = await broker.client()
      await to.subscribe(filter)
      const found = (await arrived(to, expected.length)).map((one) => one.topic.slice(here.length))
      expect(found.sort(), filter).toEqual(expected)
    }
    await find(`${here}/a`, ['/a'])
    await find(`${here}/+`, ['/a', '/b'])
    await find(`${here}/+/b`, ['/a/b'])
    await find(`${here}/a/#`, ['/a', '/a/b', '/a/b/c'])
    await find(`${here}/#`, ['', '//x', '/a', '/a/b', '/a/b/c', '/b'])
    await find(`${here}/+/+`, ['//x', '/a/b'])
    await find(`${here}/c/#`, [])
  })
})

describe('3.8 SUBSCRIBE, 3.10 UNSUBSCRIBE', () => {
  test.each<[string, number[]]>([
    ['[MQTT-3.8.1-1] wrong flags', [0x80, 6, 0, 1, 0, 1, 0x61, 0]],
    ['[MQTT-3.8.3-1] a filter that is no UTF-8', [0x82, 6, 0, 1, 0, 1, 0xff, 0]],
    ['[MQTT-3.8.3-3] no filter', [0x82, 2, 0, 1]],
    ['[MQTT-3.8.3-4] QoS 3', [0x82, 6, 0, 1, 0, 1, 0x61, 3]],
    ['[MQTT-3.8.3-4] reserved bits', [0x82, 6, 0, 1, 0, 1, 0x61, 0x80]],
    ['[MQTT-4.7.3-1] an empty filter', [0x82, 5, 0, 1, 0, 0, 0]],
    ['[MQTT-3.10.1-1] UNSUBSCRIBE with wrong flags', [0xa0, 5, 0, 1, 0, 1, 0x61]],
    ['[MQTT-3.10.3-1] UNSUBSCRIBE of what is no UTF-8', [0xa2, 5, 0, 1, 0, 1, 0xff]],
    ['[MQTT-3.10.3-2] UNSUBSCRIBE of nothing', [0xa2, 2, 0, 1]],
  ])('%s closes the connection', async (_, bytes) => {
    const client = await broker.client()
    client.sendBytes(Buffer.from(bytes))
    await client.closed()
  })
  test.each(['a#', '#/a', 'a/#/b', 'a/b#', '##', '+a', 'a+', 'a/+b/c', 'a/b+', '++', '+#', 'a/#b'])(
    '[MQTT-4.7.1-2] [MQTT-4.7.1-3] the filter "%s" closes the connection',
    async (filter) => {
      const client = await broker.client()
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] })
      await client.closed()
    },
  )
  test('[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] one SUBACK has a code for each filter, in their order, twice for one that comes twice', async () => {
    const here = room()
    const client = await broker.client()
    const filters = [`${here}/2`, `${here}/0`, 'test/nosubscribe', `${here}/1`, `${here}/0`]
    client.send({
      cmd: 'subscribe',
      messageId: 99,
      subscriptions: filters.map((topic, i) => ({ topic, qos: qosOf([2, 0, 2, 1, 1][i] ?? 0) })),
    })
    expect(await client.next('suback')).toMatchObject({ messageId: 99, granted: [2, 0, 0x80, 1, 1] }) // 0x80: [MQTT-3.9.3-2]
    await client.say()
    expect(client.received.filter((one) => one.cmd === 'suback')).toHaveLength(1)
  })
  test('[MQTT-3.8.4-3] the same filter again replaces the subscription: its QoS, once; what is retained comes again', async () => {
    const here = room()
    const from = await broker.client()
    await from.publish(here, 'kept', { retain: true })
    const to = await broker.client()
    await to.subscribe(here, 2)
    await to.subscribe(here, 0)
    await from.publish(here, 'live', { qos: 2 })
    expect((await arrived(to, 3)).map((one) => [one.payload.toString(), one.retain, one.qos])).toEqual([
      ['kept', true, 0],
      ['kept', true, 0],
      ['live', false, 0],
    ])
  })
  test('[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-6] UNSUBSCRIBE ends exactly these filters, and no message comes behind its UNSUBACK', async () => {
    const here = room()
    const { from, to } = await pair(`${here}/a`)
    await to.subscribe(`${here}/+`)
    await to.subscribe(`${here}/b`)
    await to.say({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: [`${here}/+`, `${here}/b`] })
    await from.publish(`${here}/a`, 'stays')
    await from.publish(`${here}/b`, 'gone')
    await to.say()
    expect(to.messages()).toEqual([[`${here}/a`, 'stays']])
    expect(to.received.find((one) => one.cmd === 'unsuback')).toMatchObject({ messageId: 5 })
  })
  test('[MQTT-3.10.4-5] an UNSUBSCRIBE of nothing that is subscribed gets its UNSUBACK', async () => {
    const client = await broker.client()
    client.send({ cmd: 'unsubscribe', messageId: 6, unsubscriptions: ['never/subscribed'] })
    expect(await client.next('unsuback')).toMatchObject({ messageId: 6 })
  })
  test('[MQTT-3.10.4-3] what was sent before an UNSUBSCRIBE goes on to its end', async () => {
    const here = room()
    const { from, to } = await pair(here)
    await from.publish(here, 'm', { qos: 2 })
    const [one] = await arrived(to, 1)
    await to.say({ cmd: 'unsubscribe', messageId: 3, unsubscriptions: [here] })
    await to.say({ cmd: 'pubrec', messageId: one?.messageId ?? 0 })
    expect(to.received.find((each) => each.cmd === 'pubrel')).toMatchObject({ messageId: one?.messageId })
  })
})

describe('4.7 topics and filters', () => {
  test.each<[string, string, boolean]>([
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['ACCOUNTS', 'Accounts', false],
    ['Accounts payable', 'Accounts payable', true],
    ['/A', 'A', false],
    ['/', '/', true],
    ['#', '/', true],
    ['a//b', 'a//b', true],
    ['a/+/b', 'a//b', true],
    ['naïve/ü/🐢', 'naïve/ü/🐢', true],
  ])('[MQTT-4.7.1-1] [MQTT-4.7.3-4] "%s" and "%s": %s', async (filter, topic, matches) => {
    const { from, to } = await pair(filter)
    await from.publish(topic, 'm')
    await to.say()
    expect(live(to)).toEqual(matches ? [[topic, 'm']] : [])
  })
  test('[MQTT-4.7.2-1] wildcards at the start do not match $ topics, and clients cannot publish to those', async () => {
    const to = await broker.client()
    for (const filter of ['#', '+/x', '$SYS/#', '$x/x']) await to.subscribe(filter)
    const from = await broker.client()
    await from.publish('$x/x', 'no', { qos: 1, id: 4 })
    await from.publish('$SYS/x', 'no', { retain: true })
    expect(from.received.find((one) => one.cmd === 'puback')).toMatchObject({ messageId: 4 }) // [MQTT-3.3.5-2]
    await to.say()
    expect(live(to)).toEqual([])
  })
  test('[MQTT-4.7.3-3] topics and filters of 65,535 bytes are taken', async () => {
    const topic = 'x'.repeat(65_535)
    const { from, to } = await pair(topic)
    await from.publish(topic, 'long')
    expect((await arrived(to, 1))[0]?.topic).toHaveLength(65_535)
  })
})

describe('4.3 QoS 1 and 2, 4.6 order', () => {
  test('[MQTT-4.3.2-1] QoS 1 has an identifier of its own, which is free again after PUBACK', async () => {
    const here = room()
    const { from, to } = await pair(here)
    for (let i = 0; i < 20; i++) await from.publish(here, `${i}`, { qos: 1 })
    const ids = (await arrived(to, 20)).map((one) => one.messageId)
    expect(new Set(ids).size).toBe(20) // [MQTT-2.3.1-2] [MQTT-2.3.1-3]
    expect(ids).not.toContain(0)
  })
  test('[MQTT-4.3.3-1] to a subscriber: PUBLISH, PUBREC, PUBREL, PUBCOMP', async () => {
    const here = room()
    const { from, to } = await pair(here)
    await from.publish(here, 'm', { qos: 2 })
    const [one] = await arrived(to, 1)
    const messageId = one?.messageId ?? 0
    await to.say({ cmd: 'pubrec', messageId })
    expect(to.received.find((each) => each.cmd === 'pubrel')).toMatchObject({ messageId, qos: 1 }) // flags 2 [MQTT-3.6.1-1]
    await to.say({ cmd: 'pubcomp', messageId })
    expect(publishesOf(to)).toHaveLength(1)
  })
  test('[MQTT-4.3.3-2] from a publisher: a message that comes again before its PUBREL is passed on once, and answered again', async () => {
    const here = room()
    const { from, to } = await pair(here)
    await from.publish(here, 'one', { qos: 2, id: 5 })
    await from.publish(here, 'one', { qos: 2, id: 5, dup: true })
    await from.say({ cmd: 'pubrel', messageId: 5 }, { cmd: 'pubrel', messageId: 5 })
    await from.publish(here, 'two', { qos: 2, id: 5 })
    expect((await arrived(to, 2)).map((one) => one.payload.toString())).toEqual(['one', 'two'])
    expect(from.received.filter((one) => one.cmd === 'pubrec')).toHaveLength(3)
    expect(from.received.filter((one) => one.cmd === 'pubcomp')).toHaveLength(2) // also for one that is not known
  })
  test.each<0 | 1 | 2>([0, 1, 2])(
    '[MQTT-4.6.0-5] [MQTT-4.6.0-6] messages of QoS %i come in the order in which each client published them, PUBACK and PUBREC too',
    async (qos) => {
      const here = room()
      const { from, to } = await pair(here)
      const other = await broker.client()
      const all = (name: string): Packet[] =>
        Array.from({ length: 300 }, (_, i) => ({
          cmd: 'publish',
          topic: here,
          payload: `${name}${i}`,
          qos,
          retain: i % 3 === 0,
          dup: false,
          messageId: i + 1,
        }))
      from.send(...all('a'))
      other.send(...all('b'))
      await from.say()
      await other.say()
      const texts = (await arrived(to, 600)).map((one) => one.payload.toString())
      for (const name of ['a', 'b'])
        expect(texts.filter((one) => one.startsWith(name))).toEqual(all(name).map((_, i) => `${name}${i}`))
      const acks = from.received.flatMap((one) => (one.cmd === 'puback' || one.cmd === 'pubrec' ? [one.messageId] : []))
      expect(acks).toEqual(qos === 0 ? [] : Array.from({ length: 300 }, (_, i) => i + 1)) // [MQTT-4.6.0-2] [MQTT-4.6.0-3]
    },
  )
  test('[MQTT-4.6.0-4] PUBRELs come in the order of the PUBRECs', async () => {
    const here = room()
    const { from, to } = await pair(here)
    for (let i = 0; i < 5; i++) await from.publish(here, `${i}`, { qos: 2 })
    const ids = (await arrived(to, 5)).map((one) => one.messageId ?? 0)
    const turned = [...ids].reverse()
    await to.say(...turned.map((messageId): Packet => ({ cmd: 'pubrec', messageId })))
    expect(to.received.flatMap((one) => (one.cmd === 'pubrel' ? [one.messageId] : []))).toEqual(turned)
  })
  test('QoS 0, QoS 1 and retained ones from one publisher in one go: none is lost', async () => {
    const here = room()
    const { from, to } = await pair(`${here}/#`)
    const packets = Array.from(
      { length: 600 },
      (_, i): Packet => ({
        cmd: 'publish',
        topic: `${here}/${i % 3}`,
        payload: `${i}`,
        qos: qosOf(i % 3),
        retain: i % 2 === 0,
        dup: false,
        messageId: i + 1,
      }),
    )
    from.send(...packets)
    expect(new Set((await arrived(to, 600)).map((one) => one.payload.toString())).size).toBe(600)
  })
})

describe('3.1.2.4 and 4.1 sessions, 4.4 delivery again', () => {
  const leave = async (client: OpenClient): Promise<void> => {
    client.send({ cmd: 'disconnect' })
    await client.closed()
  }
  test('[MQTT-3.2.2-1] [MQTT-3.2.2-2] [MQTT-3.2.2-3] session present is told as it is, with and without subscriptions', async () => {
    const clientId = room()
    const present = async (clean: boolean): Promise<boolean> => {
      const client = await broker.client({ clientId, clean })
      await leave(client)
      return client.sessionPresent
    }
    expect([
      await present(false),
      await present(false),
      await present(true),
      await present(false),
      await present(true),
      await present(true),
    ]).toEqual([false, true, false, false, false, false])
  })
  test('[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-4.1.0-1] subscriptions and messages of QoS 1 and 2 outlive the connection, in order; QoS 0 does not wait', async () => {
    const here = room()
    const first = await broker.client({ clientId: here, clean: false })
    await first.subscribe(`${here}/#`, 2)
    await leave(first)
    const from = await broker.client()
    for (let i = 0; i < 6; i++) await from.publish(`${here}/t`, `${i}`, { qos: qosOf(i % 3) })
    const second = await broker.client({ clientId: here, clean: false })
    expect(second.sessionPresent).toBe(true)
    expect((await arrived(second, 4)).map((one) => [one.payload.toString(), one.qos, one.dup])).toEqual([
      ['1', 1, false],
      ['2', 2, false],
      ['4', 1, false],
      ['5', 2, false],
    ])
    expect(second.received[0]?.cmd).toBe('connack') // [MQTT-3.2.0-1]
  })
  test('[MQTT-3.1.2-6] [MQTT-3.1.2-7] a clean session begins and ends with its connection; what is retained stays', async () => {
    const here = room()
    const kept = await broker.client({ clientId: here, clean: false })
    await kept.subscribe(here, 1)
    await leave(kept)
    const clean = await broker.client({ clientId: here, clean: true })
    const from = await broker.client()
    await from.publish(here, 'm', { qos: 1, retain: true })
    await clean.say()
    expect(clean.messages()).toEqual([])
    await leave(clean)
    const again = await broker.client({ clientId: here, clean: false })
    await again.say()
    expect([again.sessionPresent, again.messages()]).toEqual([false, []])
    await again.subscribe(here, 1)
    await arrived(again, 1)
  })
  test('[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-4] [MQTT-4.6.0-1] what was not acknowledged comes again: same identifier, DUP, first order; PUBREL instead where PUBREC has come', async () => {
    const here = room()
    const first = await broker.client({ clientId: here, clean: false })
    await first.subscribe(here, 2)
    const from = await broker.client()
    for (let i = 0; i < 5; i++) await from.publish(here, `${i}`, { qos: i % 2 === 0 ? 2 : 1 })
    const sent = await arrived(first, 5)
    await first.say({ cmd: 'puback', messageId: sent[1]?.messageId ?? 0 }, { cmd: 'pubrec', messageId: sent[0]?.messageId ?? 0 })
    first.close()
    const second = await broker.client({ clientId: here, clean: false })
    const again = await arrived(second, 3)
    expect(again.map((one) => [one.payload.toString(), one.messageId, one.dup, one.qos])).toEqual(
      [2, 3, 4].map((i) => [`${i}`, sent[i]?.messageId, true, sent[i]?.qos]),
    )
    expect(second.received.flatMap((one) => (one.cmd === 'pubrel' ? [one.messageId] : []))).toEqual([sent[0]?.messageId])
    await second.say(
      { cmd: 'pubcomp', messageId: sent[0]?.messageId ?? 0 },
      ...again.map((one): Packet => ({ cmd: one.qos === 1 ? 'puback' : 'pubrec', messageId: one.messageId ?? 0 })),
    )
    await second.say(
      ...again.filter((one) => one.qos === 2).map((one): Packet => ({ cmd: 'pubcomp', messageId: one.messageId ?? 0 })),
    )
    await leave(second)
    const third = await broker.client({ clientId: here, clean: false })
    await third.say()
    expect(third.messages()).toEqual([])
  })
  test('[MQTT-3.3.1-3] DUP of a publisher is not passed on', async () => {
    const here = room()
    const { from, to } = await pair(here)
    await from.publish(here, 'm', { qos: 1, dup: true })
    expect((await arrived(to, 1))[0]?.dup).toBe(false)
  })
  test('[MQTT-4.3.3-2] identifiers of QoS 2 outlive the connection of a kept session: the same message again is not passed on twice', async () => {
    const here = room()
    const to = await broker.client()
    await to.subscribe(here, 2)
    const first = await broker.client({ clientId: `${here}-p`, clean: false })
    await first.publish(here, 'once', { qos: 2, id: 9 })
    first.close()
    const second = await broker.client({ clientId: `${here}-p`, clean: false })
    await second.publish(here, 'once', { qos: 2, id: 9, dup: true })
    await second.say({ cmd: 'pubrel', messageId: 9 })
    await to.say()
    expect(to.messages()).toHaveLength(1)
  })
  test('[MQTT-4.5.0-1] a taken over session goes on with its newer connection, nothing is lost', async () => {
    const here = room()
    const first = await broker.client({ clientId: here, clean: false })
    await first.subscribe(here, 1)
    const from = await broker.client()
    for (let i = 0; i < 50; i++) {
      await from.publish(here, `${i}`, { qos: 1 })
      if (i === 25) await broker.client({ clientId: here, clean: false })
    }
    const last = await broker.client({ clientId: here, clean: false })
    expect((await arrived(last, 50)).map((one) => one.payload.toString())).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
  })
})

function qosOf(value: number): 0 | 1 | 2 {
  return value === 1 ? 1 : value === 2 ? 2 : 0
}
