import { afterEach, describe, expect, test } from 'vitest'
import type { Bus, Message } from '../../base/bus.ts'
import { systemChance } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { type MqttBus, startMqttBus } from '../../base/mqtt-bus.ts'
import { controllerClientId } from '../../schemas/client-ids.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { mosquittoProgram, startMosquitto } from '../harness/mosquitto.ts'
import { startTestBroker } from '../harness/test-broker.ts'

const fleet = 'default'
// All of them are the controller's to publish; so that one bus can hear what it says, the subscriber is sometimes another.
const event = topicOf(fleet, 'event', { kind: 'task' })
const desired = (device: string): string => topicOf(fleet, 'deviceDesired', { device })
const state = topicOf(fleet, 'controllerState', {})

interface World {
  /** The bus under test, with the rights of the controller. */
  controller: Bus
  /** A second one on the same broker, with the rights of an admin. */
  admin: Bus
  close(): Promise<void>
}

const mqttBus = (url: string, clientId: string, password: string): MqttBus =>
  startMqttBus({ url, clientId, password, log: silentLog, clock: systemClock, chance: systemChance, reconnect: { firstMs: 50 } })

const embedded = async (kind: 'in-process' | 'mqtt' | 'ws'): Promise<World> => {
  const world = await startTestBroker()
  const { addresses } = world.broker
  const adminToken = await world.token('admin', 'admin')
  const controllerToken = await world.token('controller', 'controller')
  const url = kind === 'ws' ? addresses.ws.url : addresses.mqtt.url
  const controller = kind === 'in-process' ? world.broker.bus() : mqttBus(url, controllerClientId(fleet), controllerToken)
  const admin = mqttBus(url, '', adminToken)
  return { controller, admin, close: () => closeAll([controller, admin, world]) }
}

const onMosquitto = async (program: string): Promise<World> => {
  const broker = await startMosquitto(program)
  const controller = mqttBus(broker.url, controllerClientId(fleet), 'any')
  const admin = mqttBus(broker.url, '', 'any')
  return { controller, admin, close: () => closeAll([controller, admin, broker]) }
}

const closeAll = async (things: { close(): Promise<void> }[]): Promise<void> => {
  for (const one of things) await one.close()
}

const program = mosquittoProgram()
const implementations: [string, () => Promise<World>][] = [
  ['in-process on the embedded broker', () => embedded('in-process')],
  ['MQTT.js on the embedded broker', () => embedded('mqtt')],
  ['MQTT.js over WebSocket on the embedded broker', () => embedded('ws')],
  ...(program ? [['MQTT.js on Mosquitto', () => onMosquitto(program)] satisfies [string, () => Promise<World>]] : []),
]

const textOf = (message: Message): string => Buffer.from(message.payload).toString()
const ready = async (...buses: Bus[]): Promise<void> => {
  for (const bus of buses) await eventually('the bus is connected', () => bus.isConnected())
}
/** Subscribes and collects the texts of what comes. */
const collect = async (bus: Bus, filter: string): Promise<string[]> => {
  const heard: string[] = []
  await bus.subscribe(filter, (message) => {
    heard.push(textOf(message))
  })
  return heard
}

describe.each(implementations)('a bus: %s', (_, start) => {
  let world: World | undefined
  const begin = async (): Promise<World> => {
    world = await start()
    await ready(world.controller, world.admin)
    return world
  }
  afterEach(async () => {
    await world?.close()
    world = undefined
  })

  test('publish() reaches a subscriber elsewhere, in order, as text and as bytes', async () => {
    const { controller, admin } = await begin()
    const heard = await collect(admin, event)
    const wanted = Array.from({ length: 50 }, (_, i) => `${i} ü`)
    for (const [i, text] of wanted.entries()) controller.publish(event, i % 2 ? text : new TextEncoder().encode(text))
    await eventually('heard.length >= wanted.length', () => heard.length >= wanted.length)
    expect(heard).toEqual(wanted)
  })

  test('publish() of QoS 0, QoS 1 and retained in one go loses none', async () => {
    const { controller, admin } = await begin()
    const heard = await collect(admin, event)
    const states = await collect(admin, state)
    for (let i = 0; i < 30; i++) {
      controller.publish(state, `s${i}`, { retain: true })
      controller.publish(event, `a${i}`)
      controller.publish(event, `b${i}`, { qos: 0 })
    }
    await eventually('heard.length >= 60 && states.length >= 30', () => heard.length >= 60 && states.length >= 30)
    expect([...heard].sort()).toEqual(
      Array.from({ length: 30 }, (_, i) => [`a${i}`, `b${i}`])
        .flat()
        .sort(),
    )
    expect(states).toHaveLength(30)
  })

  test('a bus hears what it publishes itself', async () => {
    const { controller } = await begin()
    const heard = await collect(controller, state)
    controller.publish(state, 'mine', { retain: true })
    await eventually('heard.includes("mine")', () => heard.includes('mine'))
  })

  test('publish() from within a receiver loses neither message', async () => {
    const { controller, admin } = await begin()
    const heard = await collect(admin, event)
    const states = await collect(admin, state)
    await controller.subscribe(state, (message) => {
      controller.publish(event, `about ${textOf(message)}`, { qos: 0 })
      controller.publish(event, `really ${textOf(message)}`)
    })
    for (let i = 0; i < 20; i++) controller.publish(state, `${i}`, { retain: true })
    await eventually('heard.length >= 40 && states.length >= 20', () => heard.length >= 40 && states.length >= 20)
    expect(heard).toHaveLength(40)
  })

  test('subscribe() brings what is retained, and says so; a later one is live', async () => {
    const { controller, admin } = await begin()
    // One by one, so that what is asked for after the second one is there has both.
    controller.publish(state, 'kept', { retain: true })
    controller.publish(state, 'kept, newer', { retain: true })
    const first = await collect(admin, state)
    await eventually('first.includes("kept, newer")', () => first.includes('kept, newer'))

    const seen: [string, boolean][] = []
    await controller.subscribe(state, (message) => {
      seen.push([textOf(message), message.retained])
    })
    await eventually('seen.length > 0', () => seen.length > 0)
    controller.publish(state, 'live', { retain: true })
    await eventually('seen.length > 1', () => seen.length > 1)
    expect(seen).toEqual([
      ['kept, newer', true],
      ['live', false],
    ])
  })

  test('subscribe() brings many retained messages by a wildcard; an empty one is gone', async () => {
    const { controller, admin } = await begin()
    const all = Array.from({ length: 40 }, (_, i) => `d${i}`)
    controller.publish(desired('d0'), 'd0', { retain: true })
    controller.publish(desired('d0'), '', { retain: true })
    for (const device of all.slice(1)) controller.publish(desired(device), device, { retain: true })
    const last = await collect(admin, desired('d39'))
    await eventually('last.length > 0', () => last.length > 0)
    const heard = await collect(admin, topicOf(fleet, 'deviceDesired', { device: '+' }))
    await eventually('heard.length >= 39', () => heard.length >= 39)
    expect([...heard].sort()).toEqual(all.slice(1).sort())
  })

  test('unsubscribe() ends it for one filter only', async () => {
    const { controller, admin } = await begin()
    const gone = await collect(admin, event)
    const stays = await collect(admin, state)
    admin.unsubscribe(event)
    controller.publish(event, 'unheard')
    controller.publish(state, 'heard', { retain: true })
    await eventually('stays.includes("heard")', () => stays.includes('heard'))
    expect(gone).toEqual([])
  })

  test('a receiver that throws or rejects harms nobody', async () => {
    const { controller, admin } = await begin()
    await controller.subscribe(state, () => {
      throw new Error('on purpose')
    })
    await controller.subscribe(topicOf(fleet, 'controllerState', {}), () => Promise.reject(new Error('on purpose')))
    const heard = await collect(admin, state)
    controller.publish(state, 'one', { retain: true })
    controller.publish(state, 'two', { retain: true })
    await eventually('heard.includes("two")', () => heard.includes('two'))
    expect(controller.isConnected()).toBe(true)
  })

  test('onConnect() calls at once when there is a connection', async () => {
    const { controller } = await begin()
    let calls = 0
    controller.onConnect(() => {
      calls += 1
    })
    expect(calls).toBe(1)
  })

  test('close() ends it: nothing is sent or received, and twice is harmless', async () => {
    const { controller, admin } = await begin()
    let ended = 0
    controller.onDisconnect(() => {
      ended += 1
    })
    const heard = await collect(admin, event)
    controller.publish(event, 'last words')
    await controller.close()
    await controller.close()
    controller.publish(event, 'too late')
    expect(controller.isConnected()).toBe(false)
    expect(ended).toBe(1)
    await eventually('heard.includes("last words")', () => heard.includes('last words'))
    await expect(controller.subscribe(event, () => undefined)).rejects.toThrow(event)
    expect(heard).toEqual(['last words'])
  })

  test('backlogBytes() is small when everything has been taken', async () => {
    const { controller, admin } = await begin()
    const heard = await collect(admin, event)
    controller.publish(event, 'x'.repeat(50_000))
    await eventually('heard.length > 0', () => heard.length > 0)
    await eventually('controller.backlogBytes() === 0', () => controller.backlogBytes() === 0)
  })
})
