import type { AedesOptions, AedesPublishPacket, AuthenticateError, PublishPacket } from 'aedes'
import type { Log } from '../base/log.ts'
import { topicMatches } from '../schemas/topics.ts'
import { publisherOf } from './aedes-inside.ts'
import { lower } from './aedes-memory.ts'
import type { Connection, Connections } from './connections.ts'
import type { Door, User } from './door.ts'
import type { FilterTree } from './filter-tree.ts'
import type { Holds } from './holds.ts'
import type { Limits } from './limits.ts'
import type { Qos, Will } from './packets.ts'
import type { Retained } from './retained.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { Counters } from './stats.ts'
import type { TokenMark } from './token-trust.ts'
import { faultOfFilter, faultOfTopic } from './topic-rules.ts'

type Asks = Required<Pick<AedesOptions, 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>>

/** What Aedes asks before it lets somebody in or a packet pass. */
export const aedesAsks = (deps: {
  limits: Limits
  door: Door
  connections: Connections
  sessions: Sessions
  tree: FilterTree<Session>
  retained: Retained
  holds: Holds
  counters: Counters
  log: Log
  isRevoked: (token: TokenMark | undefined) => boolean
}): Asks => {
  const { limits, door, connections, sessions, tree, retained, holds, counters, log } = deps

  const letIn = (one: Connection, clientId: string, clean: boolean): void => {
    const { session, isPresent } = sessions.open(clientId, clean)
    one.session = session
    session.subject = one.user?.subject
    session.token = one.user?.token
    one.wasPresent = isPresent
    one.isLive = clean
    session.attach(() => {
      counters.clientsStalled += 1
      one.wire.close('it does not acknowledge what it is sent')
    })
    counters.logins += 1
  }

  /** The highest QoS of a client's subscriptions that match [MQTT-3.3.5-1]. Of one message it is asked for each receiver in turn. */
  let matched = { topic: '', number: 0, granted: new Map<Session, Qos>() }
  const grantedTo = (session: Session, { topic, brokerCounter }: AedesPublishPacket): Qos => {
    if (matched.number !== brokerCounter || matched.topic !== topic) {
      const granted = new Map<Session, Qos>()
      tree.match(topic, (other, qos) => {
        if (qos >= (granted.get(other) ?? 0)) granted.set(other, qos)
      })
      matched = { topic, number: brokerCounter, granted }
    }
    return matched.granted.get(session) ?? 0
  }

  /** The same for one that was retained: each who subscribes asks for it alone, and to look at all the others is dear when thousands come back. */
  const grantedAlone = ({ subscriptions }: Session, topic: string): Qos => {
    let granted: Qos = 0
    for (const [filter, qos] of subscriptions) if (qos > granted && topicMatches(filter, topic)) granted = qos
    return granted
  }

  return {
    authenticate: (client, _username, _password, done) => {
      const one = connections.of(client)
      const knock = one?.connect
      if (!one || !knock) return done(refusal('a CONNECT that nobody has seen', 3), false)
      one.connect = undefined // with its password
      const refuse = (code: 2 | 3 | 4 | 5, reason: string, subject?: string): void => {
        counters.loginsRefused[refusalNames[code]] += 1
        one.wire.reason ??= reason
        log.info({ client: knock.clientId, subject, reason }, 'connection refused')
        done(refusal(reason, code), false)
      }
      door(knock).then(
        (found) => {
          if (!found.ok) return refuse(found.code, found.reason, found.subject)
          const { user } = found
          if (knock.clientId.length > limits.clientIdChars) return refuse(2, 'the client id is too long', user.subject)
          const wrong = knock.will && faultOfWill(knock.will, user, limits.levels)
          if (wrong !== undefined) return refuse(5, wrong, user.subject)
          const enter = (): void => {
            // The door has looked, but somebody can have come and gone since.
            const subject = sessions.of(client.id)?.subject
            if (subject !== undefined && subject !== user.subject)
              return refuse(2, `"${client.id}" is the session of another subject`, user.subject)
            letIn(one, client.id, client.clean)
            done(null, true)
          }
          connections.enter(one, client.id, user, { letIn: enter, refuse: (code, reason) => refuse(code, reason, user.subject) })
        },
        (error: unknown) => {
          log.error({ err: error, client: knock.clientId }, 'login failed')
          refuse(3, 'login failed')
        },
      )
    },

    authorizePublish: (client, packet, callback) => {
      const one = connections.of(client)
      const { permissions } = one?.user ?? {}
      if (!one || !permissions) return callback(new Error('nobody has logged in'))
      const { topic, retain } = packet
      // What its connection has left behind is not carried out either: the rest of what was read, and its will.
      if (deps.isRevoked(one.user?.token)) return callback(new Error('its token was revoked'))
      const wrong = faultOfTopic(topic, limits.levels)
      if (wrong !== undefined) return callback(new Error(wrong))
      if (!permissions.mayPublish(topic) || (retain && !permissions.mayRetain(topic))) {
        counters.publishesRefused += 1
        log.warn({ client: one.clientId, subject: one.user?.subject, topic, retain }, 'publish refused')
        if (!permissions.ignores?.(topic)) return callback(new Error(`no right to publish to "${topic}"`)) // [MQTT-3.3.5-2]
        Object.assign(packet, nowhere)
        return one.publishes.enter(undefined, () => callback(null))
      }
      // One of QoS 2 that comes again has been passed on, and is only answered [MQTT-4.3.3-2].
      const isAgain = packet.qos === 2 && one.session?.received.has(packet.messageId ?? 0) === true
      const taken = isAgain ? undefined : holds.offer({ topic, payload: payloadOf(packet), retained: false })
      one.publishes.enter(taken, (failure) => {
        if (!failure) return callback(null)
        log.warn({ err: failure.error, client: one.clientId, topic }, 'publish not taken')
        callback(new Error(`"${topic}" was not taken`, { cause: failure.error }))
      })
    },

    authorizeSubscribe: (client, subscription, callback) => {
      const one = connections.of(client)
      const { topic: filter, qos } = subscription
      const wrong = faultOfFilter(filter, limits.levels)
      if (wrong !== undefined) return callback(new Error(wrong))
      if (!one?.session || !one.user) return callback(new Error('nobody has logged in'))
      const { session } = one
      const hasRoom =
        session.subscriptions.has(filter) ||
        (session.subscriptions.size < limits.filtersPerClient &&
          session.filterChars() + filter.length <= limits.filterCharsPerClient)
      if (!hasRoom || !one.user.permissions.maySubscribe(filter)) {
        log.info({ client: one.clientId, subject: one.user.subject, filter }, 'subscription refused')
        return callback(null, null) // SUBACK 0x80 [MQTT-3.9.3-2]
      }
      session.subscribe(filter, qos as Qos) // MQTT.js's type has 0 to 2 and a number besides; our reader lets nothing else in
      tree.add(filter, session, qos as Qos)
      one.lastBefore ??= new Map()
      one.lastBefore.set(filter, retained.last())
      // To Aedes all are of QoS 2, so that it lowers none: it looks at one of several that match, and at exact filters only.
      callback(null, { ...subscription, qos: 2 })
    },

    // Once more on delivery: a kept session may have been opened with another token, of other rights.
    authorizeForward: (client, packet) => {
      const one = connections.of(client)
      if (!one?.session || !one.user) return null
      const { session } = one
      const number = packet.brokerCounter
      const may = one.user.permissions.mayReceive(packet.topic)
      if (packet.messageId) return may ? packet : null // it has waited, and goes out now
      if (!one.isLive) return null // it waits behind those that have waited
      const isRetained = packet.retain
      if (isRetained) {
        // Read when the client subscribed; a newer one may have come since, and has gone out.
        if (retained.of(packet.topic)?.payload !== packet.payload) return null
      } else if (number === one.lastNumber)
        return null // by another of its filters
      else one.lastNumber = number
      if (!may) {
        session.drop(number)
        return null
      }
      connections.holderOf(publisherOf(packet) ?? '')?.wire.restFor(one.wire)
      packet.dup = false // that of its publisher is not passed on [MQTT-3.3.1-3]
      packet.qos = lower(packet.qos, isRetained ? grantedAlone(session, packet.topic) : grantedTo(session, packet))
      if (packet.qos === 0) {
        if (one.wire.unsentBytes() <= limits.waitingBytesForQos0) return packet
        counters.messagesDropped += 1
        return null
      }
      // Aedes keeps none that was retained, though it has to be acknowledged like any other.
      if (isRetained && session.isKept)
        session.keep(number, { topic: packet.topic, payload: payloadOf(packet), qos: packet.qos, retain: true })
      packet.messageId = session.identify(number)
      return packet
    },
  }
}

/** What a publish becomes that is acknowledged and dropped: nobody receives it, and nothing is kept. */
const nowhere = { topic: '$', retain: false }

const refusalNames = { 2: 'identifier', 3: 'unavailable', 4: 'credentials', 5: 'notAuthorized' } as const

const refusal = (reason: string, returnCode: number): AuthenticateError => Object.assign(new Error(reason), { returnCode })

const payloadOf = ({ payload }: Pick<PublishPacket, 'payload'>): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : payload

const faultOfWill = ({ topic, retain }: Will, { permissions }: User, levels: number): string | undefined => {
  const wrong = faultOfTopic(topic, levels)
  if (wrong !== undefined) return `its will: ${wrong}`
  if (permissions.mayPublish(topic) && (!retain || permissions.mayRetain(topic))) return undefined
  return `no right to a will on "${topic}"`
}
