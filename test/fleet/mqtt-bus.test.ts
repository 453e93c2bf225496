import { afterEach, describe, expect, test } from 'vitest'
import { systemChance } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { type MqttBus, type MqttBusOptions, startMqttBus } from '../../base/mqtt-bus.ts'
import type { Broker } from '../../broker/broker.ts'
import { startBroker } from '../../broker/broker.ts'
import { deviceClientId } from '../../schemas/client-ids.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/free-port.ts'
import { startTestBroker, type TestBroker } from '../harness/test-broker.ts'

const fleet = 'default'
const deviceState = topicOf(fleet, 'deviceState', { device: 'd1' })
const command = topicOf(fleet, 'deviceCommand', { device: 'd1', verb: '+' })

describe('startMqttBus()', () => {
  const open: { close(): Promise<void> }[] = []
  const own = <T extends { close(): Promise<void> }>(thing: T): T => {
    open.push(thing)
    return thing
  }
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close()
  })
  const bus = (url: string, password: MqttBusOptions['password'], more: Partial<MqttBusOptions> = {}): MqttBus =>
    own(
      startMqttBus({
        url,
        clientId: '',
        password,
        log: silentLog,
        clock: systemClock,
        chance: systemChance,
        reconnect: { firstMs: 20, mostMs: 100 },
        ...more,
      }),
    )
  /** A broker that can be ended and started again at the same address. */
  const again = (world: TestBroker, port: number): Promise<Broker> =>
    startBroker({
      fleet,
      publicKeysPem: world.keys.publicKeysPem(),
      listen: { bind: '127.0.0.1', mqttPort: port, wsPort: 0 },
      log: silentLog,
    }).then(own)

  test('comes back to a broker that has forgotten everything: subscriptions first, then onConnect, with a new will', async () => {
    const port = await freePort()
    const world = own(await startTestBroker({ listen: { bind: '127.0.0.1', mqttPort: port, wsPort: 0 } }))
    const url = world.broker.addresses.mqtt.url
    let session = 0
    const device = bus(url, await world.token('d1', 'device'), {
      clientId: deviceClientId(fleet, 'd1'),
      will: () => {
        session += 1
        return { topic: deviceState, payload: `offline ${session}`, qos: 1, retain: true }
      },
    })
    const heard: string[] = []
    await device.subscribe(command, (message) => {
      heard.push(Buffer.from(message.payload).toString())
    })
    let connects = 0
    let losses = 0
    device.onConnect(() => {
      connects += 1
    })
    device.onDisconnect(() => {
      losses += 1
    })
    await eventually('connects === 1', () => connects === 1)
    await world.broker.close()
    await eventually('losses === 1', () => losses === 1)
    expect(device.isConnected()).toBe(false)
    expect(device.lastError()).toBeDefined()

    const broker = await again(world, port)
    const inside = broker.bus()
    const wills: string[] = []
    await inside.subscribe(deviceState, (message) => {
      wills.push(Buffer.from(message.payload).toString())
    })
    await eventually('connects === 2', () => connects === 2)
    expect(device.lastError()).toBeUndefined()
    // onConnect means that the subscriptions hold: what is sent now arrives.
    inside.publish(topicOf(fleet, 'deviceCommand', { device: 'd1', verb: 'ack' }), 'after')
    await eventually('heard.includes("after")', () => heard.includes('after'))

    // A second connection of the device throws the first one out; the broker then sends the will of that very connect.
    const made = session
    const thief = bus(broker.addresses.mqtt.url, await world.token('d1', 'device'), { clientId: deviceClientId(fleet, 'd1') })
    await eventually('wills.length > 0', () => wills.length > 0)
    expect(wills[0]).toBe(`offline ${made}`)
    expect(made).toBeGreaterThan(1)
    await thief.close()
  })

  test('close() says goodbye: the will is not sent', async () => {
    const world = own(await startTestBroker())
    const inside = world.broker.bus()
    const states: string[] = []
    await inside.subscribe(deviceState, (message) => {
      states.push(Buffer.from(message.payload).toString())
    })
    const device = bus(world.broker.addresses.mqtt.url, await world.token('d1', 'device'), {
      will: () => ({ topic: deviceState, payload: 'will', qos: 1, retain: true }),
    })
    await eventually('device.isConnected()', () => device.isConnected())
    device.publish(deviceState, 'bye', { retain: true })
    await device.close()
    await eventually('states.includes("bye")', () => states.includes('bye'))
    // The next client's message comes after whatever the broker had to say about the first one.
    inside.publish(deviceState, 'end')
    await eventually('states.includes("end")', () => states.includes('end'))
    expect(states).toEqual(['bye', 'end'])
  })

  test('tells a refusal from a broker that is not there, and takes a new password when there is one', async () => {
    const world = own(await startTestBroker())
    let password = 'no token'
    const refusals: number[] = []
    const client = bus(world.broker.addresses.mqtt.url, () => password)
    client.onRefused((_, code) => refusals.push(code))
    await eventually('refusals.length > 1', () => refusals.length > 1)
    expect(refusals[0]).toBe(4)
    expect(client.lastError()).toBe('connection refused: bad user name or password')
    password = await world.token('admin', 'admin')
    await eventually('client.isConnected()', () => client.isConnected())

    const nobody = bus(`mqtt://127.0.0.1:${await freePort()}`, 'x')
    let refused = 0
    nobody.onRefused(() => {
      refused += 1
    })
    await eventually('nobody.lastError()?.includes("ECONNREFUSED")', () => nobody.lastError()?.includes('ECONNREFUSED'))
    expect(refused).toBe(0)
  })

  test('subscribe() that is refused rejects and names the filter; others stand', async () => {
    const world = own(await startTestBroker())
    const client = bus(world.broker.addresses.mqtt.url, await world.token('eve', 'viewer'))
    const bad = topicOf(fleet, 'reply', { client: 'admin', rest: '#' })
    const early = client.subscribe(bad, () => undefined)
    await expect(early).rejects.toThrow(`"${bad}"`)
    await eventually('client.isConnected()', () => client.isConnected())
    await expect(client.subscribe('#', () => undefined)).rejects.toThrow('"#"')
    await expect(client.subscribe('a#b', () => undefined)).rejects.toThrow('"a#b"')
    await client.subscribe(topicOf(fleet, 'event', { kind: '+' }), () => undefined)
    expect(client.isConnected()).toBe(true)
  })

  test('a publish that is refused costs the connection, and the bus comes back with nothing in flight', async () => {
    const world = own(await startTestBroker())
    const client = bus(world.broker.addresses.mqtt.url, await world.token('eve', 'viewer'))
    let losses = 0
    client.onDisconnect(() => {
      losses += 1
    })
    await eventually('client.isConnected()', () => client.isConnected())
    client.publish(topicOf(fleet, 'request', { client: 'admin', operation: 'task/submit' }), '{}')
    await eventually('losses === 1', () => losses === 1)
    await eventually('client.isConnected()', () => client.isConnected())
    expect(client.inFlight()).toBe(0)
  })

  test('what is published without a connection is dropped, not sent later', async () => {
    const port = await freePort()
    const world = own(await startTestBroker())
    const client = bus(`mqtt://127.0.0.1:${port}`, await world.token('admin', 'admin'))
    const request = topicOf(fleet, 'request', { client: 'admin', operation: 'task/submit' })
    client.publish(request, 'early')
    const broker = await again(world, port)
    const heard: string[] = []
    await broker.bus().subscribe(topicOf(fleet, 'request', { client: '+', operation: '#' }), (message) => {
      heard.push(Buffer.from(message.payload).toString())
    })
    await eventually('client.isConnected()', () => client.isConnected())
    client.publish(request, 'late')
    await eventually('heard.includes("late")', () => heard.includes('late'))
    expect(heard).toEqual(['late'])
  })

  test('QoS 1 in flight has a limit when the broker acknowledges nothing', async () => {
    const world = own(await startTestBroker())
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await world.broker.bus().subscribe(topicOf(fleet, 'request', { client: '+', operation: '#' }), () => held, { hold: true })
    const client = bus(world.broker.addresses.mqtt.url, await world.token('admin', 'admin'))
    await eventually('client.isConnected()', () => client.isConnected())
    const request = topicOf(fleet, 'request', { client: 'admin', operation: 'task/submit' })
    for (let i = 0; i < 12_000; i++) client.publish(request, '{}')
    expect(client.inFlight()).toBe(10_000)
    release()
    await eventually('client.inFlight() === 0', () => client.inFlight() === 0)
  })

  test('refuses an address that is not MQTT', () => {
    expect(() => bus('http://127.0.0.1:80', 'x')).toThrow('mqtt://')
  })
})
