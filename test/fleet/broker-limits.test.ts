import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import type { Broker, BrokerOptions } from '../../broker/broker.ts'
import { eventually } from '../harness/eventually.ts'
import { heldHere } from '../harness/held-memory.ts'
import { letIn, type OpenClient } from '../harness/open-broker.ts'
import { openRawMqtt, type RawConnect, type RawMqtt } from '../harness/raw-mqtt.ts'
import { startTestBroker } from '../harness/test-broker.ts'

/** The bounds on what others can make the broker keep, each brought down to a size that a test can reach. */
let ends: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.reverse()) await end()
  ends = []
})

const start = async (options: Partial<BrokerOptions>): Promise<Broker> => {
  const world = await startTestBroker({ publicKeysPem: 'open', ...options })
  ends.push(world.close)
  return world.broker
}
const connect = async (broker: Broker, how?: RawConnect, host?: string): Promise<RawMqtt> => {
  const raw = await openRawMqtt(broker.addresses.mqtt.url, how, host)
  ends.push(raw.close)
  return raw
}
const client = async (broker: Broker, how: RawConnect): Promise<OpenClient> => letIn(await connect(broker, how))

/** Leaves a kept session behind, subscribed to a topic of its own name. */
const leaveSession = async (broker: Broker, clientId: string): Promise<void> => {
  const { clients } = broker.stats()
  const one = await client(broker, { clientId, clean: false })
  await one.subscribe(clientId, 1)
  one.send({ cmd: 'disconnect' })
  await one.closed()
  await eventually('the broker has let go of it', () => broker.stats().clients === clients)
}
const isThere = async (broker: Broker, clientId: string): Promise<boolean> => {
  const one = await client(broker, { clientId, clean: false })
  one.close()
  return one.sessionPresent
}

describe('kept sessions', () => {
  test('are bounded in number: those that are away longest end', async () => {
    const broker = await start({ limits: { keptSessions: 3 } })
    for (const name of ['a', 'b', 'c', 'd', 'e']) await leaveSession(broker, name)
    expect(broker.stats().sessionsKept).toBe(3)
    // Each of these looks leaves a session itself, so the oldest are looked at last.
    expect([await isThere(broker, 'e'), await isThere(broker, 'd'), await isThere(broker, 'c')]).toEqual([true, true, true])
    expect([await isThere(broker, 'b'), await isThere(broker, 'a')]).toEqual([false, false])
  })

  test('one whose client is here is not among those that make room', async () => {
    const broker = await start({ limits: { keptSessions: 1 } })
    const here = await client(broker, { clientId: 'here', clean: false })
    await here.subscribe('here', 1)
    for (const name of ['a', 'b', 'c']) await leaveSession(broker, name)
    await here.publish('here', 'still')
    await eventually('its message', () => here.messages().length === 1)
    expect(broker.stats().sessionsKept).toBe(1)
  })

  test('are bounded in what waits in all of them: those that are away longest end', async () => {
    const broker = await start({ limits: { keptSessionsBytes: 50_000 } })
    const from = await client(broker, { clientId: 'from' })
    for (const name of ['a', 'b', 'c', 'd']) {
      await leaveSession(broker, name)
      await from.publish(name, 'x'.repeat(20_000), { qos: 1 })
    }
    await eventually('room is made', () => broker.stats().sessionsKept === 2)
    expect([await isThere(broker, 'd'), await isThere(broker, 'c')]).toEqual([true, true])
    expect([await isThere(broker, 'b'), await isThere(broker, 'a')]).toEqual([false, false])
  })

  test('end after a day', async () => {
    let later = 0
    const broker = await start({ clock: { ...systemClock, mono: () => systemClock.mono() + later } })
    await leaveSession(broker, 'a')
    later = 24 * 3_600_000 - 60_000
    await leaveSession(broker, 'b')
    expect(broker.stats().sessionsKept).toBe(2)
    later += 61_000
    await eventually('the first ends', () => broker.stats().sessionsKept === 1)
    expect(await isThere(broker, 'b')).toBe(true)
    expect(await isThere(broker, 'a')).toBe(false)
  })

  test.each([
    { awayMessages: 10 },
    { awayBytes: 10 * (300 + 'a'.length + 1000) }, // 300 is what a message costs besides its bytes
  ])('hold the newest messages for a client that is away: %o', async (limits) => {
    const broker = await start({ limits })
    await leaveSession(broker, 'a')
    const from = await client(broker, { clientId: 'from' })
    for (let i = 0; i < 25; i++) await from.publish('a', `${i} `.padEnd(1000, 'x'), { qos: 1 })
    expect(broker.stats().messagesDropped).toBe(15)
    const back = await client(broker, { clientId: 'a', clean: false })
    await eventually('what has waited', () => back.messages().length === 10)
    await back.say()
    expect(back.messages().map(([, text]) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 10 }, (_, i) => i + 15))
  })

  test('that have ended are let go of, also when their clients left in the middle of what had waited', async () => {
    const broker = await start({ limits: { keptSessions: 2 } })
    const from = await client(broker, { clientId: 'from' })
    const before = await heldHere()
    for (let i = 0; i < 40; i++) {
      await leaveSession(broker, `s${i}`)
      for (let one = 0; one < 10; one++) await from.publish(`s${i}`, 'x'.repeat(100_000), { qos: 1 })
      const back = await openRawMqtt(broker.addresses.mqtt.url, { clientId: `s${i}`, clean: false })
      await back.next('publish')
      back.socket.resetAndDestroy()
      await eventually('it has gone', () => broker.stats().connections === 1)
    }
    // Two sessions of 1 MB are kept, and 38 have been.
    expect((await heldHere()) - before).toBeLessThan(10)
  })
})

describe('retained messages', () => {
  const retained = async (broker: Broker, count: number): Promise<string[]> => {
    const one = await client(broker, { clientId: 'reader' })
    await one.subscribe('r/#')
    // They come behind the SUBACK in turns of their own: an answer to a ping may overtake them.
    await eventually(`${count} messages`, () => one.messages().length >= count)
    await one.say()
    return one.messages().map(([topic, text]) => `${topic}=${text.trim()}`)
  }

  test('are bounded in number: one more is passed on and not kept, those that are there can change and go', async () => {
    const broker = await start({ limits: { retainedMessages: 3 } })
    const live = await client(broker, { clientId: 'live' })
    await live.subscribe('r/#')
    const from = await client(broker, { clientId: 'from' })
    for (const name of ['a', 'b', 'c', 'd']) await from.publish(`r/${name}`, '1', { qos: 1, retain: true })
    await from.publish('r/a', '2', { qos: 1, retain: true })
    await eventually('they are passed on', () => live.messages().length === 5)
    expect(await retained(broker, 3)).toEqual(['r/a=2', 'r/b=1', 'r/c=1'])
    await from.publish('r/b', '', { qos: 1, retain: true })
    await from.publish('r/e', '1', { qos: 1, retain: true })
    expect(await retained(broker, 3)).toEqual(['r/a=2', 'r/c=1', 'r/e=1'])
    expect(broker.stats().retainedMessages).toBe(3)
  })

  test('are bounded in bytes: what does not fit is not kept, what was there before stays', async () => {
    const broker = await start({ limits: { retainedBytes: 3000 } })
    const from = await client(broker, { clientId: 'from' })
    await from.publish('r/a', 'small', { qos: 1, retain: true })
    await from.publish('r/b', 'x'.repeat(5000), { qos: 1, retain: true })
    await from.publish('r/a', 'y'.repeat(5000), { qos: 1, retain: true })
    await from.publish('r/c', 'small', { qos: 1, retain: true })
    expect(await retained(broker, 2)).toEqual(['r/a=small', 'r/c=small'])
    expect(broker.stats().retainedBytes).toBeLessThan(3000)
  })
})

describe('subscriptions', () => {
  test('of one client are bounded: one more gets 0x80, those that are there can be made again, and one that ends makes room', async () => {
    const broker = await start({ limits: { filtersPerClient: 2 } })
    const one = await client(broker, { clientId: 'one' })
    const granted: number[][] = []
    for (const filter of ['a', 'b', 'c', 'a']) granted.push(await one.subscribe(filter, 1))
    expect(granted).toEqual([[1], [1], [0x80], [1]])
    await one.say({ cmd: 'unsubscribe', messageId: 100, unsubscriptions: ['b'] })
    expect(await one.subscribe('c', 1)).toEqual([1])
  })

  test('are bounded in their length together, each of them may be as long as a topic', async () => {
    const broker = await start({})
    const one = await client(broker, { clientId: 'one' })
    const granted: number[][] = []
    for (let i = 0; i < 18; i++) granted.push(await one.subscribe(`${i}/`.padEnd(65_000, 'x'), 1))
    expect(granted.flat()).toEqual([...Array(16).fill(1), 0x80, 0x80])
    await one.say({ cmd: 'unsubscribe', messageId: 100, unsubscriptions: ['3/'.padEnd(65_000, 'x')] })
    expect(await one.subscribe('17/'.padEnd(65_000, 'x'), 1)).toEqual([1])
    expect(await one.subscribe('short', 1)).toEqual([1])
  })
})

describe('connections', () => {
  const own = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address
  const everywhere = { bind: '0.0.0.0', mqttPort: 0, wsPort: 0 }

  test.skipIf(own === undefined)('from one address are bounded, and those of others and of loopback get in', async () => {
    const broker = await start({ listen: everywhere, limits: { connectionsPerAddress: 3 } })
    const many: RawMqtt[] = []
    for (let i = 0; i < 3; i++) many.push(await letIn(await connect(broker, { clientId: `c${i}` }, own)))
    await (await connect(broker, { clientId: 'one too many' }, own)).closed()
    expect(broker.stats()).toMatchObject({ clients: 3, connectionsRefused: 1 })
    for (let i = 0; i < 5; i++) await client(broker, { clientId: `loopback-${i}` })
    many[0]?.close()
    await eventually('there is room', () => broker.stats().clients === 7)
    await letIn(await connect(broker, { clientId: 'next' }, own))
  })

  test('are bounded in all', async () => {
    const broker = await start({ limits: { connections: 3 } })
    const many: RawMqtt[] = []
    for (let i = 0; i < 3; i++) many.push(await client(broker, { clientId: `c${i}` }))
    await (await connect(broker, { clientId: 'one too many' })).closed()
    many[0]?.close()
    await eventually('there is room', () => broker.stats().connections === 2)
    await client(broker, { clientId: 'next' })
  })

  test('that have said nothing make room for the next: the oldest first', async () => {
    const broker = await start({ limits: { silentConnections: 2 } })
    const silent = [await connect(broker), await connect(broker)]
    await eventually('both are in', () => broker.stats().connections === 2)
    await client(broker, { clientId: 'talks' })
    await silent[0]?.closed()
    expect(silent[1]?.isClosed()).toBe(false)
  })
})
