import type { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { User } from './door.ts'
import { createGate } from './gate.ts'
import { createInOrder, type InOrder } from './in-order.ts'
import type { Limits } from './limits.ts'
import type { ConnectPacket } from './packets.ts'
import type { Session } from './session.ts'
import type { Counters } from './stats.ts'
import { Wire } from './wire.ts'

/** One client's connection, from its first byte to its last. */
export interface Connection {
  readonly wire: Wire
  /** Whether its CONNECT has come. */
  hasKnocked: boolean
  /** Its CONNECT, until the door has it. */
  connect: ConnectPacket | undefined
  /** Who it is, and its session, once it has logged in. */
  user: User | undefined
  clientId: string
  session: Session | undefined
  wasPresent: boolean
  /** Whether messages go straight to it: what has waited is out. */
  isLive: boolean
  /** Aedes' number of the last message for it. */
  lastNumber: number
  /** For each filter that it has just subscribed to, the number of the retained message that was the last before. */
  lastBefore: Map<string, number> | undefined
  /** Its publishes, answered in their order though some wait for a receiver. */
  readonly publishes: InOrder
  /** Aedes has entered it by its client id, or never will. */
  readonly listed: Step
  /** Aedes has let go of it: its will is out. */
  readonly gone: Step
}

/** Something that happens once. Few wait for it, and thousands of connections have two: it makes no promise before it is asked for one. */
class Step {
  isDone = false
  #resolve: (() => void) | undefined
  #wait: Promise<void> | undefined
  done(): void {
    this.isDone = true
    this.#resolve?.()
  }
  get wait(): Promise<void> {
    if (this.isDone) return Promise.resolve()
    this.#wait ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#wait
  }
}

/** The connections there are: bounded in number, and by client id. */
export const createConnections = (deps: {
  limits: Limits
  clock: Clock
  counters: Counters
  log: Log
  onLeave: (session: Session) => void
  isRevoked: (user: User) => boolean
}) => {
  const { limits, clock, counters, log } = deps
  const all = new Set<Connection>()
  const byId = new Map<string, Connection>()
  const ofClient = new WeakMap<Client, Connection>()
  const gate = createGate<Connection>(limits)
  const turns = new Map<string, Promise<void>>()

  const leave = (one: Connection, address: string): void => {
    const { wire, session, clientId, user } = one
    if (!one.hasKnocked) counters.connectionsRefused += 1
    log.info({ client: clientId, subject: user?.subject, reason: wire.reason }, 'connection ended')
    gate.leave(one, address)
    all.delete(one)
    one.isLive = false
    if (session) deps.onLeave(session)
    // One that closes while it is let in can still be listed by what is on its way in Aedes.
    if (!one.listed.isDone) setImmediate(() => lost(one))
  }

  /** Aedes lists it no more. */
  const lost = (one: Connection): void => {
    if (byId.get(one.clientId) === one) byId.delete(one.clientId)
    one.listed.done()
    one.gone.done()
  }

  return {
    of: (client: Client | null): Connection | undefined => (client === null ? undefined : ofClient.get(client)),
    lost,
    holderOf: (clientId: string): Connection | undefined => byId.get(clientId),
    all: (): Iterable<Connection> => all,
    count: () => all.size,
    loggedIn: () => byId.size,

    /** Takes a connection in and hands it to Aedes, if there is room. */
    accept: (conn: Duplex, address: string, handle: (wire: Wire) => Client): void => {
      const fault = gate.faultOf(address)
      if (fault !== undefined) {
        counters.connectionsRefused += 1
        log.warn({ address, reason: fault }, 'connection refused')
        conn.on('error', () => undefined) // it is refused whatever becomes of it
        return void conn.destroy()
      }
      const wire = new Wire(conn, {
        ...{ limits, clock, counters },
        onConnect: (packet) => {
          one.hasKnocked = true
          one.connect = packet
          one.clientId = packet.clientId
          gate.spoke(one)
        },
        wasPresent: () => one.wasPresent,
      })
      const one: Connection = {
        ...{ wire, hasKnocked: false, connect: undefined, user: undefined, clientId: '', session: undefined, wasPresent: false },
        ...{ isLive: false, lastNumber: 0, lastBefore: undefined, publishes: createInOrder() },
        ...{ listed: new Step(), gone: new Step() },
      }
      all.add(one)
      wire.once('close', () => leave(one, address))
      gate.enter(one, address)?.wire.close('it has said nothing, and others want in')
      ofClient.set(handle(wire), one)
    },

    /**
     * Gives a connection its client id when all that want the same have had their turn; whoever has it is closed [MQTT-3.1.4-2]. Aedes
     * would let two in at once. False if it is not for this subject, or the connection has gone.
     */
    enter: (
      one: Connection,
      clientId: string,
      user: User,
      then: { letIn: () => void; refuse: (code: 2 | 5, reason: string) => void },
    ): void => {
      const turn = async (): Promise<void> => {
        const holder = byId.get(clientId)
        // The door has looked, but somebody can have come in since.
        if (holder && holder.user?.subject !== user.subject) return then.refuse(2, `"${clientId}" is in use by another subject`)
        holder?.wire.close('its client id was taken over')
        await holder?.gone.wait
        if (one.wire.destroyed) return
        if (deps.isRevoked(user)) return then.refuse(5, 'the token was revoked')
        one.user = user
        one.clientId = clientId
        byId.set(clientId, one)
        then.letIn()
      }
      const mine = (turns.get(clientId) ?? Promise.resolve()).then(turn).then(() => one.listed.wait)
      turns.set(clientId, mine)
      void mine.finally(() => {
        if (turns.get(clientId) === mine) turns.delete(clientId)
      })
    },

    /** Closes those whose token was revoked. */
    closeRevoked: (): void => {
      for (const { user, wire } of all) if (user && deps.isRevoked(user)) wire.close('its token was revoked')
    },

    /** Looks at what only time can tell: clients that take in nothing, and tokens that have expired. */
    look: (): void => {
      const mono = clock.mono()
      const now = clock.now()
      for (const { wire, user } of all) {
        if (user?.token && user.token.endsAt <= now) wire.close('its token has expired')
        else if (wire.isStalled(mono)) {
          counters.clientsStalled += 1
          wire.close('it takes in nothing')
        }
      }
    },
  }
}

export type Connections = ReturnType<typeof createConnections>
