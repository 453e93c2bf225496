import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../harness/eventually.ts'
import { type OpenBroker, startOpenBroker } from '../harness/open-broker.ts'
import { connectBytes, field, type RawConnect } from '../harness/raw-mqtt.ts'

/** MQTT 3.1.1, chapters 1, 2, 3.1, 3.2, 3.12, 3.14, 4.8 and 6: what binds a server, against `skein broker --open`. */
let broker: OpenBroker
beforeAll(async () => {
  broker = await startOpenBroker()
})
afterEach(() => broker.closeClients())
afterAll(() => broker.close())

/** What a broker says to bytes, before it closes. */
const answerTo = async (...bytes: (Buffer | readonly number[])[]): Promise<unknown[]> => {
  const raw = await broker.silent()
  raw.sendBytes(Buffer.concat(bytes.map((one) => Buffer.from(one))))
  await raw.closed()
  return raw.received.map((one) => (one.cmd === 'connack' ? ['connack', one.returnCode, one.sessionPresent] : one.cmd))
}
const refusal = async (how: RawConnect): Promise<unknown> => {
  const raw = await broker.connecting(how)
  const connack = await raw.next('connack')
  await raw.closed()
  return connack.cmd === 'connack' && [connack.returnCode, connack.sessionPresent]
}
/** A CONNECT with its parts as they are given. */
const connect = (how: { protocol?: string; level?: number; flags?: number; rest?: Buffer[] } = {}): Buffer => {
  const { protocol = 'MQTT', level = 4, flags = 2, rest = [field('raw')] } = how
  const body = Buffer.concat([field(protocol), Buffer.from([level, flags, 0, 60]), ...rest])
  return Buffer.concat([Buffer.from([0x10, (body.length & 127) | 128, body.length >> 7]), body])
}
const good = connectBytes({ clientId: 'good' })
const closedAfterLogin = async (...bytes: number[]): Promise<void> => {
  const client = await broker.client()
  client.sendBytes(Buffer.from(bytes))
  await client.closed()
  expect(client.received.map((one) => one.cmd)).toEqual(['connack'])
}

describe('1 and 2: strings, flags, identifiers', () => {
  test.each<[string, number[]]>([
    ['[MQTT-1.5.3-1] a surrogate', [0xed, 0xa0, 0x80]],
    ['[MQTT-1.5.3-1] an overlong form', [0xc0, 0xaf]],
    ['[MQTT-1.5.3-1] a byte that starts nothing', [0x61, 0xfe]],
    ['[MQTT-1.5.3-2] U+0000', [0x61, 0x00]],
  ])('%s in a topic, filter, client id, will or user name closes the connection', async (_, text) => {
    const bad = Buffer.from([0, text.length, ...text])
    await closedAfterLogin(0x30, bad.length, ...bad)
    await closedAfterLogin(0x82, bad.length + 3, 0, 1, ...bad, 0)
    await closedAfterLogin(0xa2, bad.length + 2, 0, 1, ...bad)
    expect(await answerTo(connect({ rest: [bad] }))).toEqual([])
    expect(await answerTo(connect({ flags: 6, rest: [field('w'), bad, field('x')] }))).toEqual([])
    expect(await answerTo(connect({ flags: 0x82, rest: [field('w'), bad] }))).toEqual([])
  })
  test('[MQTT-1.5.3-3] U+FEFF is a character like others', async () => {
    const client = await broker.client()
    await client.subscribe('\ufeffa')
    await client.publish('\ufeffa', 'with')
    await client.publish('a', 'without')
    expect(client.messages()).toEqual([['\ufeffa', 'with']])
  })
  test.each([0x00, 0x11, 0x20, 0x41, 0x51, 0x60, 0x71, 0x80, 0x90, 0xa0, 0xb0, 0xc1, 0xd0, 0xe1, 0xf0])(
    '[MQTT-2.2.2-1] [MQTT-2.2.2-2] first byte 0x%s (decimal) closes the connection',
    async (byte) => closedAfterLogin(byte, 2, 0, 1),
  )
  test.each<[string, number[]]>([
    ['PUBLISH of QoS 1', [0x32, 5, 0, 1, 0x61, 0, 0]],
    ['PUBLISH of QoS 2', [0x34, 5, 0, 1, 0x61, 0, 0]],
    ['SUBSCRIBE', [0x82, 6, 0, 0, 0, 1, 0x61, 0]],
    ['UNSUBSCRIBE', [0xa2, 5, 0, 0, 0, 1, 0x61]],
  ])('[MQTT-2.3.1-1] %s with the identifier 0 closes the connection', async (_, bytes) => closedAfterLogin(...bytes))
  test('[MQTT-2.2.3] a remaining length of five bytes closes the connection', async () =>
    closedAfterLogin(0x30, 0x80, 0x80, 0x80, 0x80, 0x01))
  test('[MQTT-2.3.1-6] [MQTT-2.3.1-7] PUBACK, PUBREC, PUBREL, SUBACK and UNSUBACK have the identifier of what they answer', async () => {
    const client = await broker.client()
    await client.say(
      { cmd: 'publish', topic: 'x', payload: '', qos: 1, retain: false, dup: false, messageId: 65_535 },
      { cmd: 'publish', topic: 'x', payload: '', qos: 2, retain: false, dup: false, messageId: 258 },
      { cmd: 'pubrel', messageId: 258 },
      { cmd: 'subscribe', messageId: 770, subscriptions: [{ topic: 'ids', qos: 0 }] },
      { cmd: 'unsubscribe', messageId: 771, unsubscriptions: ['ids'] },
    )
    await client.next('unsuback')
    const answers = client.received.flatMap((one) => (one.cmd === 'pingresp' ? [] : [[one.cmd, one.messageId]]))
    expect(answers.slice(1)).toEqual([
      ['puback', 65_535],
      ['pubrec', 258],
      ['pubcomp', 258],
      ['suback', 770],
      ['unsuback', 771],
    ])
  })
})

describe('3.1 CONNECT', () => {
  test('[MQTT-3.1.0-1] a first packet that is no CONNECT closes the connection', async () => {
    expect(await answerTo([0xc0, 0])).toEqual([])
    expect(await answerTo([0x30, 3, 0, 1, 0x61])).toEqual([])
    expect(await answerTo([0x82, 6, 0, 1, 0, 1, 0x61, 0])).toEqual([])
    expect(await answerTo([0xe0, 0])).toEqual([])
  })
  test('[MQTT-3.1.0-2] a second CONNECT closes the connection', async () => {
    expect(await answerTo(good, good)).toEqual([['connack', 0, false]])
    const client = await broker.client()
    client.sendBytes(connectBytes({ clientId: 'again' }))
    await client.closed()
  })
  test('[MQTT-3.1.2-1] another protocol name closes the connection', async () => {
    expect(await answerTo(connect({ protocol: 'MQTX' }))).toEqual([])
    expect(await answerTo(connect({ protocol: 'mqtt' }))).toEqual([])
    expect(await answerTo(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))).toEqual([])
  })
  test.each([0, 3, 5, 6, 0x84, 255])(
    '[MQTT-3.1.2-2] [MQTT-3.2.2-4] [MQTT-3.2.2-5] level %i gets CONNACK 1, and the connection closes',
    async (level) => {
      expect(await answerTo(connect({ level }))).toEqual([['connack', 1, false]])
    },
  )
  test.each<[string, number, Buffer[]]>([
    ['[MQTT-3.1.2-3] the reserved flag', 3, [field('x')]],
    ['[MQTT-3.1.2-11] [MQTT-3.1.2-13] a will QoS without a will', 2 | 8, [field('x')]],
    ['[MQTT-3.1.2-14] a will of QoS 3', 2 | 4 | 0x18, [field('x'), field('t'), field('m')]],
    ['[MQTT-3.1.2-15] a retained will without a will', 2 | 32, [field('x')]],
    ['[MQTT-3.1.2-22] a password without a user name', 2 | 64, [field('x'), field('p')]],
    ['[MQTT-3.1.2-9] a will flag without a will', 2 | 4, [field('x')]],
    ['[MQTT-3.1.2-19] a user name flag without a user name', 2 | 128, [field('x')]],
    ['[MQTT-3.1.2-18] a user name without its flag', 2, [field('x'), field('u')]],
    ['[MQTT-3.1.2-20] [MQTT-3.1.2-21] a password without its flag', 2 | 128, [field('x'), field('u'), field('p')]],
    ['[MQTT-3.1.3-3] no client id', 2, []],
  ])('%s closes the connection without a CONNACK [MQTT-3.1.4-1]', async (_, flags, rest) => {
    expect(await answerTo(connect({ flags, rest }))).toEqual([])
  })
  test('[MQTT-3.1.3-5] client ids of 1 to 23 letters and digits are let in', async () => {
    for (const clientId of ['a', 'Z9', '0123456789abcdefghijklm', 'ABCDEFGHIJKLMNOPQRSTUVW', 'nopqrstuvwxyzXYZ'])
      await broker.client({ clientId })
  })
  test('[MQTT-3.1.3-4] [MQTT-3.1.3-9] a client id that is too long gets CONNACK 2', async () => {
    expect(await refusal({ clientId: 'x'.repeat(257) })).toEqual([2, false])
  })
  test('[MQTT-3.1.3-6] [MQTT-3.1.3-7] clients with an empty id and a clean session are let in, each as one of its own', async () => {
    const first = await broker.client({ clientId: '' })
    await broker.client({ clientId: '' })
    await first.say()
    expect(first.isClosed()).toBe(false)
  })
  test('[MQTT-3.1.3-8] an empty client id with a kept session gets CONNACK 2', async () => {
    expect(await refusal({ clientId: '', clean: false })).toEqual([2, false])
  })
  test('[MQTT-3.1.3-1] the fields are read in their order, all of them', async () => {
    const flags = 0x02 | 0x04 | 0x08 | 0x80 | 0x40
    const watcher = await broker.client()
    await watcher.subscribe('order/will')
    const raw = await broker.silent()
    raw.sendBytes(connect({ flags, rest: ['order-id', 'order/will', 'order payload', 'user', 'password'].map(field) }))
    expect(await raw.next('connack')).toMatchObject({ returnCode: 0 })
    raw.close()
    await eventually('the will', () => watcher.messages().length === 1)
    expect(watcher.messages()).toEqual([['order/will', 'order payload']])
  })
  test('[MQTT-3.1.4-2] a client id that comes again closes the older connection', async () => {
    const older = await broker.client({ clientId: 'twin' })
    const newer = await broker.client({ clientId: 'twin' })
    await older.closed()
    await newer.say()
  })
  test('[MQTT-3.1.4-3] [MQTT-3.1.4-4] what a client sends behind its CONNECT is done after the CONNACK', async () => {
    const raw = await broker.silent()
    raw.sendBytes(
      Buffer.concat([
        connectBytes({ clientId: 'eager' }),
        Buffer.from([0x82, 6, 0, 1, 0, 1, 0x65, 0, 0x30, 4, 0, 1, 0x65, 0x21]),
      ]),
    )
    await raw.next('publish')
    expect(raw.received.map((one) => one.cmd)).toEqual(['connack', 'suback', 'publish'])
  })
  test('[MQTT-3.1.4-5] nothing of a client that was refused is done', async () => {
    const watcher = await broker.client()
    await watcher.subscribe('ghost')
    expect(await answerTo(connect({ level: 5 }), [0x30, 7, 0, 5, ...Buffer.from('ghost')])).toEqual([['connack', 1, false]])
    await watcher.say()
    expect(watcher.messages()).toEqual([])
  })
})

describe('3.1.2.5 wills', () => {
  const will = { topic: 'wills/a', retain: false, payload: 'gone' }
  test('[MQTT-3.1.2-8] [MQTT-3.1.2-12] [MQTT-3.1.2-16] a will is published when the connection ends without DISCONNECT, not retained', async () => {
    const watcher = await broker.client()
    await watcher.subscribe('wills/#')
    const lost = await broker.client({ will })
    lost.close()
    await eventually('the will', () => watcher.messages().length === 1)
    expect(watcher.received.at(-1)).toMatchObject({ topic: 'wills/a', qos: 1, retain: false })
    expect(watcher.messages()).toEqual([['wills/a', 'gone']])
    const later = await broker.client()
    await later.subscribe('wills/#')
    await later.say()
    expect(later.messages()).toEqual([])
  })
  test('[MQTT-3.1.2-8] also when the broker ends the connection for a fault of the client, or its id is taken over', async () => {
    const watcher = await broker.client()
    await watcher.subscribe('wills/#')
    const wrong = await broker.client({ will: { ...will, payload: 'fault' } })
    wrong.sendBytes(Buffer.from([0xf0, 0]))
    await eventually('the first', () => watcher.messages().length === 1)
    await broker.client({ clientId: 'taken', will: { ...will, payload: 'taken over' } })
    await broker.client({ clientId: 'taken' })
    await eventually('the second', () => watcher.messages().length === 2)
    expect(watcher.messages().map(([, text]) => text)).toEqual(['fault', 'taken over'])
  })
  test('[MQTT-3.1.2-17] a will can be retained', async () => {
    const lost = await broker.client({ will: { ...will, topic: 'wills/kept', retain: true, payload: 'kept' } })
    lost.close()
    await eventually('the retained will', async () => {
      const later = await broker.client()
      await later.subscribe('wills/kept')
      await later.say()
      return later.messages().length === 1
    })
    await (await broker.client()).publish('wills/kept', '', { retain: true })
  })
  test('[MQTT-3.1.2-10] [MQTT-3.14.4-3] [MQTT-3.14.4-1] [MQTT-3.14.4-2] after a DISCONNECT there is no will, and nothing behind it is read', async () => {
    const watcher = await broker.client()
    await watcher.subscribe('wills/#')
    const leaves = await broker.client({ clientId: 'leaver', will })
    leaves.sendBytes(Buffer.concat([Buffer.from([0xe0, 0]), Buffer.from([0x30, 9, 0, 7, ...Buffer.from('wills/b')])]))
    await leaves.closed()
    await broker.client({ clientId: 'leaver' })
    await watcher.say()
    expect(watcher.messages()).toEqual([])
  })
  test.each(['', 'a/#', '+/a'])('a will on "%s" is refused', async (topic) => {
    expect(await refusal({ clientId: 'w', will: { topic, retain: false } })).toEqual([5, false])
  })
})

describe('3.1.2.10 keepalive, 3.12 PINGREQ', () => {
  test('[MQTT-3.1.2-24] silence of one and a half times the keepalive ends the connection, not less; any packet counts', async () => {
    const began = performance.now()
    const silent = await broker.client({ keepalive: 1 })
    const talks = await broker.client({ keepalive: 1 })
    await eventually('the silent one is closed', async () => {
      await talks.say()
      return silent.isClosed()
    })
    expect(performance.now() - began).toBeGreaterThan(1450)
    expect(talks.isClosed()).toBe(false)
  })
  test('a keepalive of 0 turns it off; the largest is taken as it is', async () => {
    const none = await broker.client({ keepalive: 0 })
    await broker.client({ keepalive: 65_535 })
    const other = await broker.client({ keepalive: 1 })
    await other.closed()
    await none.say()
  })
  test('[MQTT-3.12.4-1] a PINGREQ is answered', async () => {
    const client = await broker.client()
    client.send({ cmd: 'pingreq' })
    await client.next('pingresp')
  })
  test('[MQTT-3.14.1-1] a DISCONNECT with flags closes the connection', async () => closedAfterLogin(0xe1, 0))
})

describe('6 WebSocket', () => {
  const socketUrl = (): string => /"ws":"(ws:[^"]+)"/.exec(broker.log())?.[1] ?? ''
  test('[MQTT-6.0.0-2] [MQTT-6.0.0-3] [MQTT-6.0.0-4] packets may be cut across frames, and the subprotocol is mqtt', async () => {
    const socket = new WebSocket(socketUrl(), ['mqtt'])
    const heard: Buffer[] = []
    socket.on('message', (data: Buffer, isBinary) => heard.push(isBinary ? data : Buffer.from('text')))
    await eventually('it opens', () => socket.readyState === WebSocket.OPEN)
    expect(socket.protocol).toBe('mqtt')
    for (const byte of connectBytes({ clientId: 'ws' })) socket.send(Buffer.from([byte]))
    await eventually('CONNACK', () => Buffer.concat(heard).length === 4)
    expect(Buffer.concat(heard)).toEqual(Buffer.from([0x20, 2, 0, 0]))
    socket.close()
  })
  test('[MQTT-6.0.0-1] a frame of text closes the connection', async () => {
    const socket = new WebSocket(socketUrl(), ['mqtt'])
    await eventually('it opens', () => socket.readyState === WebSocket.OPEN)
    socket.send('text')
    await eventually('it is closed', () => socket.readyState === WebSocket.CLOSED)
  })
})
