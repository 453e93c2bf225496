import mqtt from 'mqtt'
import { writeToStream } from 'mqtt-packet'
import type { Message } from './bus.ts'
import { type Clock, sleep } from './clock.ts'
import type { Log } from './log.ts'
import { identityBeside } from './pinned-certificate.ts'

export interface Will {
  topic: string
  payload: string
  qos: 0 | 1
  retain: boolean
}

export interface LinkOptions {
  url: string
  clientId: string
  username: string
  password: string
  will: Will | undefined
  /** The certificate authority to trust instead of the system's, as PEM. */
  ca: string | undefined
  log: Log
  clock: Clock
}

export interface LinkEvents {
  /** The broker has let us in. */
  up(): void
  message(message: Message): void
  /** The broker answered the CONNECT with a refusal. */
  refused(reason: string, code: number): void
  /** The connection has ended, or never came about. Once, and nothing follows. */
  down(reason: string): void
}

/** One connection to a broker, from its CONNECT to its end. */
export interface Link {
  publish(topic: string, payload: Buffer, qos: 0 | 1, retain: boolean): void
  /** Resolves with whether the broker granted it; does not settle if the connection ends before. */
  subscribe(filter: string): Promise<boolean>
  unsubscribe(filter: string): void
  /** QoS 1 messages that have no PUBACK yet. */
  inFlight(): number
  backlogBytes(): number
  /** Leaves with a DISCONNECT, so that the will is not sent; in bounded time. */
  end(): Promise<void>
  /** Cuts the connection. */
  cut(reason: string): void
}

/** More QoS 1 messages without a PUBACK than this, and the next are dropped: the broker takes none, and memory is not endless. */
const mostInFlight = 10_000
const connectTimeoutMs = 10_000
const farewellMs = 1000

/** Opens one connection. MQTT.js' own reconnect is off: each connect is a new client, with its own will and password and nothing queued. */
export const openLink = (options: LinkOptions, events: LinkEvents): Link => {
  const { log, clock } = options
  let unacknowledged = 0
  let dropped = 0
  let reason: string | undefined
  let isOver = false
  let idle: (() => void) | undefined

  // 65,536 buffers made at the first packet, 6 MB and 20 ms, to save so little per packet that it cannot be measured here.
  writeToStream.cacheNumbers = false
  const client = mqtt.connect(options.url, {
    protocolVersion: 4,
    clean: true,
    clientId: options.clientId,
    username: options.username,
    password: options.password,
    ...(options.will ? { will: { ...options.will, payload: Buffer.from(options.will.payload) } } : {}),
    ...(options.ca === undefined ? {} : { ca: options.ca, checkServerIdentity: identityBeside(options.ca) }),
    keepalive: 30,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
  })
  const { stream } = client
  // MQTT.js leaves Nagle's algorithm on: 22 exchanges a second instead of 3,100. A WebSocket's socket has it off already.
  if ('setNoDelay' in stream && typeof stream.setNoDelay === 'function') stream.setNoDelay(true)
  stream.on('error', (error: Error) => {
    reason ??= messageOf(error)
  })

  client.on('connect', () => {
    if (!isOver) events.up()
  })
  // MQTT.js writes every packet by itself, and each write is a call of the kernel: what belongs to one turn of the loop leaves together.
  let isGathering = false
  const gather = (): void => {
    if (isGathering) return
    isGathering = true
    stream.cork()
    clock.soon(() => {
      isGathering = false
      stream.uncork()
    })
  }
  client.on('message', (topic, payload, packet) => {
    gather() // its PUBACK
    if (!isOver) events.message({ topic, payload, retained: packet.retain })
  })
  client.on('error', (error) => {
    // A number is the return code of a CONNACK; errors of the system have names.
    const code: unknown = 'code' in error ? error.code : undefined
    if (typeof code !== 'number' || client.connected) reason ??= messageOf(error)
    else {
      reason = `connection refused: ${connackReason(code)}`
      if (!isOver) events.refused(connackReason(code), code)
    }
  })
  client.on('close', () => {
    idle?.()
    if (isOver) return
    isOver = true
    events.down(reason ?? 'the broker closed the connection')
  })

  const puback = (): void => {
    unacknowledged -= 1
    if (unacknowledged === 0) idle?.()
  }

  return {
    publish: (topic, payload, qos, retain) => {
      if (isOver || !client.connected) return
      if (qos === 1) {
        if (unacknowledged >= mostInFlight) {
          if (dropped === 0) log.warn({ in_flight: unacknowledged }, 'broker acknowledges nothing, messages are dropped')
          dropped += 1
          return
        }
        unacknowledged += 1
      }
      gather()
      // On a refused publish the broker closes the connection and MQTT.js never calls back: it serves to count, nothing waits for it.
      client.publish(topic, payload, { qos, retain }, qos === 1 ? puback : undefined)
    },
    subscribe: (filter) =>
      new Promise((resolve) => {
        client.subscribe(filter, { qos: 1 }, (error, _granted, suback) => {
          if (!error) resolve(true)
          // With a SUBACK, or by a filter that is none, it was refused; otherwise the connection has ended.
          else if (suback || error.message.startsWith('Invalid topic')) resolve(false)
        })
      }),
    unsubscribe: (filter) => {
      if (!isOver && client.connected) client.unsubscribe(filter)
    },
    inFlight: () => unacknowledged,
    backlogBytes: () => (isOver ? 0 : stream.writableLength),
    end: async () => {
      if (isOver) return
      isOver = true
      const until = new AbortController()
      if (client.connected) {
        const acknowledged = new Promise<void>((resolve) => {
          idle = resolve
          if (unacknowledged === 0) resolve()
        })
        await Promise.race([acknowledged, sleep(clock, farewellMs, until.signal)])
        // MQTT.js would wait for what is still in flight, for ever.
        for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id))
        const gone = new Promise<void>((resolve) => client.end(false, {}, () => resolve()))
        await Promise.race([gone, sleep(clock, farewellMs, until.signal)])
        until.abort()
      }
      stream.destroy()
    },
    cut: (why) => {
      reason ??= why
      stream.destroy()
    },
  }
}

/** Several attempts at one name fail as one error without a text. */
const messageOf = (error: Error): string => error.message || ('code' in error ? String(error.code) : error.name)

/** The return codes of CONNACK, MQTT 3.1.1 table 3.1. */
const connackReason = (code: number): string =>
  ({
    1: 'the broker does not speak MQTT 3.1.1',
    2: 'the client id is not allowed',
    3: 'the broker is not ready',
    4: 'bad user name or password',
    5: 'not authorized',
  })[code] ?? `refused with code ${code}`
