import { topicMatches } from '../schemas/topics.ts'
import { fullJitterMs } from './backoff.ts'
import type { Bus, Message } from './bus.ts'
import type { Chance } from './chance.ts'
import type { Clock, Timer } from './clock.ts'
import type { Log } from './log.ts'
import { type Link, openLink, type Will } from './mqtt-link.ts'

export interface MqttBusOptions {
  /** mqtt, mqtts, ws or wss. */
  url: string
  /** Empty lets the broker choose. */
  clientId: string
  /** The embedded broker ignores it, but a password needs one [MQTT-3.1.2-22]. */
  username?: string
  /** A function is asked for every connect. */
  password: string | (() => string)
  /** Made for every connect. */
  will?: () => Will
  ca?: string
  log: Log
  clock: Clock
  chance: Chance
  /** The wait before a reconnect: anywhere from 0 to a ceiling that doubles from `firstMs` (1 s) to `mostMs` (60 s). */
  reconnect?: { firstMs?: number; mostMs?: number }
}

export interface MqttBus extends Bus {
  /** Why there is no connection, or why the last one ended; undefined while there is one. */
  lastError(): string | undefined
  /** Called whenever the broker refuses us (bad password, not authorized, client id): it is reachable, and tried again all the same. */
  onRefused(call: (reason: string, code: number) => void): void
  /** QoS 1 messages that the broker has not acknowledged. */
  inFlight(): number
}

interface Subscription {
  filter: string
  receive: (message: Message) => void | Promise<void>
  /** Tells who subscribed how it went, the first time. */
  settle: ((error?: Error) => void) | undefined
}

/** A connection that has held this long was a good one: the next reconnect is quick again. */
const goodAfterMs = 60_000
const subscribeWithinMs = 10_000

/** The bus over a connection to any broker: connects, and connects again, until it is closed. */
export const startMqttBus = (options: MqttBusOptions): MqttBus => {
  const { log, clock, chance } = options
  const { firstMs = 1000, mostMs = 60_000 } = options.reconnect ?? {}
  if (!/^(mqtts?|wss?):\/\/./.test(options.url))
    throw new Error(`Cannot connect to "${options.url}": the address starts with mqtt://, mqtts://, ws:// or wss://`)

  let subscriptions: Subscription[] = []
  const onConnect: (() => void)[] = []
  const onDisconnect: (() => void)[] = []
  const onRefused: ((reason: string, code: number) => void)[] = []
  let link: Link | undefined
  let isUp = false
  let isReady = false
  let isClosed = false
  let attempt = 0
  let upAtMono = 0
  let lastError: string | undefined = 'not connected yet'
  let timer: Timer | undefined

  const connect = (): void => {
    try {
      link = open()
    } catch (error) {
      // A token file that cannot be read now may be there at the next attempt.
      log.error({ err: error }, 'cannot connect')
      down(error instanceof Error ? error.message : String(error))
    }
  }

  const open = (): Link =>
    openLink(
      {
        url: options.url,
        clientId: options.clientId,
        username: options.username ?? 'skein',
        password: typeof options.password === 'string' ? options.password : options.password(),
        will: options.will?.(),
        ca: options.ca,
        log,
        clock,
      },
      { up, message, refused, down },
    )

  const up = (): void => {
    isUp = true
    upAtMono = clock.mono()
    void renew()
  }

  /** Subscribes to everything anew, then tells that there is a connection. */
  const renew = async (): Promise<void> => {
    const mine = link
    timer = clock.after(subscribeWithinMs, () => mine?.cut('the broker did not answer a SUBSCRIBE in time'))
    await Promise.all(subscriptions.map((one) => ask(one)))
    if (link !== mine || isClosed || !isUp) return
    timer.cancel()
    isReady = true
    lastError = undefined
    log.info({ url: options.url }, 'connected')
    for (const call of onConnect) call()
  }

  const ask = async (one: Subscription): Promise<void> => {
    const granted = await link?.subscribe(one.filter)
    if (granted || !subscriptions.includes(one)) return one.settle?.()
    const error = new Error(`Cannot subscribe to "${one.filter}": the broker does not allow it`)
    if (one.settle) {
      subscriptions = subscriptions.filter((each) => each !== one)
      one.settle(error)
    } else log.error({ err: error }, 'subscription refused that was granted before')
  }

  const message = (found: Message): void => {
    for (const one of subscriptions) if (topicMatches(one.filter, found.topic)) void receiveSafely(one, found)
  }

  const receiveSafely = async (one: Subscription, found: Message): Promise<void> => {
    try {
      await one.receive(found)
    } catch (error) {
      log.error({ err: error, topic: found.topic }, 'receiver failed')
    }
  }

  const refused = (reason: string, code: number): void => {
    for (const call of onRefused) call(reason, code)
  }

  const down = (reason: string): void => {
    const wasReady = isReady
    if (isUp && clock.mono() - upAtMono >= goodAfterMs) attempt = 0
    isUp = false
    isReady = false
    link = undefined
    lastError = reason
    timer?.cancel()
    const waitMs = fullJitterMs(attempt, chance.random(), firstMs, mostMs)
    attempt += 1
    timer = clock.after(waitMs, connect)
    log.info({ url: options.url, reason, wait_ms: waitMs }, wasReady ? 'connection lost' : 'not connected')
    if (wasReady) for (const call of onDisconnect) call()
  }

  connect()

  return {
    publish: (topic, payload, { qos = 1, retain = false } = {}) => {
      const bytes =
        typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
      if (isUp) link?.publish(topic, bytes, qos, retain)
    },
    subscribe: (filter, receive) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new Error(`Cannot subscribe to "${filter}": the bus is closed`))
        const one: Subscription = {
          filter,
          receive,
          settle: (error) => {
            one.settle = undefined
            if (error) reject(error)
            else resolve()
          },
        }
        subscriptions.push(one)
        if (isUp) void ask(one)
      }),
    unsubscribe: (filter) => {
      const leaving = subscriptions.filter((one) => one.filter === filter)
      subscriptions = subscriptions.filter((one) => one.filter !== filter)
      if (leaving.length > 0) link?.unsubscribe(filter)
      for (const one of leaving) one.settle?.(new Error(`Cannot subscribe to "${filter}": it was given up`))
    },
    isHeard: () => true, // who subscribes is the broker's to know
    isConnected: () => isReady,
    onConnect: (call) => {
      onConnect.push(call)
      if (isReady) call()
    },
    onDisconnect: (call) => {
      onDisconnect.push(call)
    },
    backlogBytes: () => link?.backlogBytes() ?? 0,
    lastError: () => lastError,
    onRefused: (call) => {
      onRefused.push(call)
    },
    inFlight: () => link?.inFlight() ?? 0,
    close: async () => {
      if (isClosed) return
      isClosed = true
      const wasReady = isReady
      isReady = false
      timer?.cancel()
      const leaving = subscriptions
      subscriptions = []
      for (const one of leaving) one.settle?.(new Error(`Cannot subscribe to "${one.filter}": the bus was closed`))
      await link?.end()
      isUp = false
      link = undefined
      lastError = 'closed'
      if (wasReady) for (const call of onDisconnect) call()
    },
  }
}
