import { createPublicKey } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import type { Bus } from '../base/bus.ts'
import { type Clock, sleep, systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { clientWithId, onBrokerFault } from './aedes-inside.ts'
import { doorOf } from './door.ts'
import { guardConnection } from './guard.ts'
import { createHolds } from './holds.ts'
import { startInProcessBus } from './in-process-bus.ts'
import { type Addresses, type Listen, type Listeners, startListeners } from './listeners.ts'
import { createSessions } from './sessions.ts'

export interface BrokerOptions {
  fleet: string
  /** What tokens are verified with. */
  publicKeyPem: string
  listen: Listen
  log: Log
  clock?: Clock
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
  /** Within two seconds or so, whatever the clients do. */
  close(): Promise<void>
}

const closeWithinMs = 2000

/** Starts the embedded broker: Aedes with token authentication and the permissions of the topics table. */
export const startBroker = async (options: BrokerOptions): Promise<Broker> => {
  const { fleet, log, clock = systemClock } = options
  const sessions = createSessions()
  const holds = createHolds()
  const door = doorOf({
    fleet,
    publicKey: createPublicKey(options.publicKeyPem),
    sessions,
    holds,
    log,
    clock,
    holderOf: (clientId) => sessions.of(clientWithId(aedes, clientId) ?? null)?.user?.claims.sub,
  })
  const aedes = await Aedes.createBroker({
    ...door,
    // How many messages may be on their way at once; 0 is no limit. With one, a single subscriber that has stopped reading freezes everybody.
    concurrency: 0,
    // A subscriber that has not taken in its bytes after 3 s is closed: until then those who publish to it wait for it.
    drainTimeout: 3000,
    // From the connection to the CONNECT. 30 s is a long time for a stranger to occupy a socket.
    connectTimeout: 5000,
    // Seconds. A client that asks for none, or for more, is refused: a half-open connection would live for ever, and a device seem online.
    keepaliveLimit: 300,
    // The deepest of our topics has 8. Deep ones only cost.
    maxTopicLevels: 10,
    // Packets sent ahead of the CONNACK. A client may [MQTT-3.1.4], but need not send many.
    queueLimit: 42,
    // Half-open handshakes of QoS 2, which we do not use.
    maxInflightInbound: 100,
    // Only tells brokers of a cluster about each other, and we are alone; it costs a message each time.
    heartbeatInterval: 60_000,
    // The persistence is the one in memory: with any that is really asynchronous, messages vanish after their PUBACK (aedes#994).
  })
  onBrokerFault(aedes, (error) => log.error({ err: error }, 'broker failed'))
  aedes.on('clientError', (client, error) =>
    log.info({ client: client.id, subject: sessions.of(client)?.user?.claims.sub, reason: error.message }, 'connection failed'),
  )
  aedes.on('connectionError', (_, error) => log.info({ reason: error.message }, 'connection failed before login'))

  const accept = (conn: Duplex): void => {
    // The place for what looks at connections and packets before Aedes does.
    const guard = guardConnection(conn)
    sessions.open(aedes.handle(conn), guard)
  }

  const buses: Bus[] = []
  let listeners: Promise<Listeners> | undefined
  let addresses: Addresses | undefined
  let closing: Promise<void> | undefined

  const listen = async (): Promise<Addresses> => {
    if (closing) throw new Error('Cannot listen: the broker is closed')
    listeners ??= startListeners(options.listen, accept, log)
    addresses = (await listeners).addresses
    return addresses
  }

  const close = async (): Promise<void> => {
    for (const bus of buses) await bus.close()
    const clientsGone = new Promise<void>((resolve) => aedes.close(() => resolve()))
    const doorsShut = listeners?.then(
      (open) => open.close(),
      () => undefined, // whoever asked for them has been told that they did not open
    )
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
      const bus = startInProcessBus({ aedes, holds, log })
      buses.push(bus)
      return bus
    },
    close: () => {
      closing ??= close()
      return closing
    },
  }
}
