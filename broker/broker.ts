import { Aedes } from 'aedes'
import { writeToStream } from 'mqtt-packet'
import type { Bus } from '../base/bus.ts'
import { type Clock, every, sleep, systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { topicOf } from '../schemas/topics.ts'
import { aedesAsks } from './aedes-asks.ts'
import { forgetClosed, forgetNumbers, letPublishersGo, onBrokerFault } from './aedes-inside.ts'
import { aedesMemory } from './aedes-memory.ts'
import { createConnections } from './connections.ts'
import { openDoor, tokenDoor } from './door.ts'
import { createFilterTree } from './filter-tree.ts'
import { createHolds } from './holds.ts'
import { type InProcessBus, startInProcessBus } from './in-process-bus.ts'
import { type Limits, usualLimits } from './limits.ts'
import { type Accept, type Addresses, type Listen, type Listeners, startListeners } from './listeners.ts'
import { createRetained } from './retained.ts'
import type { Session } from './session.ts'
import { createSessions } from './sessions.ts'
import { type BrokerStats, createCounters } from './stats.ts'
import { openTokenTrust, type TokenMark } from './token-trust.ts'

export interface BrokerOptions {
  fleet: string
  /** What tokens are verified with, one key or several, until the controller tells of others; `open` lets everybody in, without any. */
  publicKeysPem: string | 'open'
  listen: Listen
  /** Where it is kept what the controller tells of tokens; without it a restart forgets that until it is told again. */
  tokenTrustFile?: string
  log: Log
  clock?: Clock
  limits?: Partial<Limits>
  /**
   * Opens no listener before `broker.listen()`: in the hub nobody may be let in, and given a PUBACK, before the controller has
   * subscribed to what it must store.
   */
  listenLater?: boolean
}

export interface Broker {
  /** Where it listens. Throws before it does. */
  readonly addresses: Addresses
  /** Opens the listeners, if they are not open yet. */
  listen(): Promise<Addresses>
  /** A bus for a part in this process. */
  bus(): Bus
  stats(): BrokerStats
  /** Reads certificate and key again; it does so by itself when the files change. */
  reloadCertificate(): Promise<void>
  /** Verifies tokens with these keys from now on, and closes the connections of all others. */
  setTokenKeys(publicKeysPem: string): void
  /** Within two seconds or so, whatever the clients do. */
  close(): Promise<void>
}

const closeWithinMs = 2000
/** How often connections are looked at for what only time can tell. */
const lookEveryMs = 500

/** Starts the embedded broker: Aedes, which speaks MQTT 3.1.1, with token authentication and the permissions of the topics table. */
export const startBroker = async (options: BrokerOptions): Promise<Broker> => {
  const { fleet, log, publicKeysPem, clock = systemClock } = options
  const limits = { ...usualLimits, ...options.limits }
  const { mono } = clock
  // 65,536 buffers made at the first packet, 7 MB and 20 ms, to save so little per packet that it cannot be measured here.
  writeToStream.cacheNumbers = false
  const counters = createCounters()
  const holds = createHolds()
  const retained = createRetained(limits)
  const tree = createFilterTree<Session>()
  const sessions = createSessions({
    limits,
    mono,
    onDrop: (session) => {
      counters.messagesDropped += 1
      log.debug({ client: session.clientId }, 'message dropped: too much waits for its client')
    },
    onEnd: (session, why) => {
      for (const filter of session.subscriptions.keys()) tree.remove(filter, session)
      if (why !== 'clean') log.info({ client: session.clientId, why }, 'kept session ended')
    },
  })
  const trust =
    publicKeysPem === 'open'
      ? undefined
      : openTokenTrust({
          ...{ fleet, publicKeysPem, file: options.tokenTrustFile, log },
          onRevoked: () => {
            connections.closeRevoked()
            sessions.endRevoked(isRevoked)
          },
        })
  const isRevoked = (token: TokenMark | undefined): boolean => trust?.isRevoked(token) === true
  const connections = createConnections({
    ...{ limits, clock, counters, log },
    onLeave: sessions.leave,
    isRevoked: ({ token }) => isRevoked(token),
  })
  const holderOf = (clientId: string): string | undefined => sessions.of(clientId)?.subject
  const door = trust ? tokenDoor({ fleet, keyFor: trust.keyFor, now: () => clock.now(), holderOf, isRevoked }) : openDoor

  const memory = aedesMemory({
    ...{ retained, tree, sessionOf: sessions.of },
    onNotKept: (topic) => log.warn({ topic }, 'no room to retain a message'),
    onCaughtUp: (clientId) => {
      const one = connections.holderOf(clientId)
      if (one && !one.wire.destroyed) one.isLive = true
    },
  })
  const aedes = await Aedes.createBroker({
    ...aedesAsks({ limits, door, connections, sessions, tree, retained, holds, counters, log, isRevoked }),
    persistence: memory,
    // How many messages may be on their way at once; 0 is no limit. With one, a single subscriber that has stopped reading freezes everybody.
    concurrency: 0,
    // Nobody waits for a client: what it does not take in waits in its wire. This would end one that did not say so.
    drainTimeout: 5000,
    connectTimeout: limits.loginMs,
    maxClientsIdLength: limits.clientIdChars,
    maxTopicLevels: limits.levels,
    maxInflightInbound: limits.halfReceived,
    // Only tells brokers of a cluster about each other, and we are alone; it costs a message each time.
    heartbeatInterval: 60_000,
  })
  letPublishersGo(aedes)
  onBrokerFault(aedes, (error) => log.error({ err: error }, 'broker failed'))
  if (trust) {
    const topic = topicOf(fleet, 'controllerRevoked', {})
    const kept = trust.lastTaken()
    // As before the restart: by it a controller that was set back learns where it stood.
    if (kept !== undefined) retained.keep({ topic, payload: Buffer.from(kept), qos: 1, retain: true })
    aedes.subscribe(
      topic,
      ({ payload }, done) => {
        done()
        trust.take(Buffer.from(payload))
      },
      () => undefined,
    )
  }
  aedes.on('client', (client) => {
    connections.of(client)?.listed.done()
    forgetClosed(aedes, client)
  })
  aedes.on('clientDisconnect', (client) => {
    const one = connections.of(client)
    if (one) connections.lost(one)
  })
  // Aedes tells of a SUBSCRIBE just before it asks for what is retained.
  aedes.on('subscribe', (_, client) => {
    const one = connections.of(client)
    const lastBefore = one?.lastBefore
    if (one) one.lastBefore = undefined
    memory.asks((filter) => lastBefore?.get(filter) ?? retained.last())
  })
  aedes.on('unsubscribe', (filters, client) => {
    const session = connections.of(client)?.session
    for (const filter of filters) if (session?.unsubscribe(filter)) tree.remove(filter, session)
  })

  const accept: Accept = (conn, address) =>
    connections.accept(conn, address, (wire) => {
      const client = aedes.handle(wire)
      forgetNumbers(aedes, client)
      return client
    })

  const looking = every(clock, lookEveryMs, () => {
    connections.look()
    sessions.sweep()
  })

  const buses: InProcessBus[] = []
  let listeners: Promise<Listeners> | undefined
  let addresses: Addresses | undefined
  let closing: Promise<void> | undefined

  const listen = async (): Promise<Addresses> => {
    if (closing) throw new Error('Cannot listen: the broker is closed')
    listeners ??= startListeners(options.listen, accept, { log, clock })
    addresses = (await listeners).addresses
    return addresses
  }

  const close = async (): Promise<void> => {
    looking.cancel()
    for (const bus of buses) await bus.close()
    const doorsShut = listeners?.then(
      (open) => open.close(),
      () => undefined, // whoever asked for them has been told that they did not open
    )
    for (const one of connections.all()) one.wire.close('the broker ends')
    const clientsGone = new Promise<void>((resolve) => aedes.close(() => resolve()))
    const done = new AbortController()
    await Promise.race([Promise.all([clientsGone, doorsShut]), sleep(clock, closeWithinMs, done.signal)])
    done.abort()
  }

  if (!options.listenLater) {
    try {
      await listen()
    } catch (error) {
      await close()
      throw error
    }
  }

  return {
    get addresses() {
      if (!addresses) throw new Error('Cannot tell addresses: the broker does not listen yet')
      return addresses
    },
    listen,
    bus: () => {
      const bus = startInProcessBus({
        ...{ aedes, holds, retained, log },
        isSubscribed: (topic) => tree.has(topic) || buses.some((other) => other.receives(topic)),
        unsentBytes: () => [...connections.all()].reduce((sum, one) => sum + one.wire.unsentBytes(), 0),
      })
      buses.push(bus)
      return bus
    },
    stats: () => ({
      ...counters,
      loginsRefused: { ...counters.loginsRefused },
      connections: connections.count(),
      clients: connections.loggedIn(),
      retainedMessages: retained.count(),
      retainedBytes: retained.bytes(),
      sessionsKept: sessions.awayCount(),
    }),
    reloadCertificate: async () => (await listeners)?.reloadCertificate(),
    setTokenKeys: (pem) => trust?.setKeys(pem),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}
