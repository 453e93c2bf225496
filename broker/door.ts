import type { KeyObject } from 'node:crypto'
import type { AedesOptions, AuthenticateError, Client } from 'aedes'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { type Admission, admit } from './authentication.ts'
import type { Holds } from './holds.ts'
import { atInstant, type Session, type Sessions } from './sessions.ts'

/** The most that may wait for one client. One that lets more pile up is closed, and starts afresh. */
const mostUnsentBytes = 16 * 1024 * 1024

export interface DoorDeps {
  fleet: string
  publicKey: KeyObject
  sessions: Sessions
  holds: Holds
  log: Log
  clock: Clock
  /** The subject that uses a client id now. */
  holderOf: (clientId: string) => string | undefined
}

type Door = Required<
  Pick<AedesOptions, 'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>
>

/** What Aedes asks before it lets somebody in or a packet pass. */
export const doorOf = (deps: DoorDeps): Door => {
  const { sessions, holds, log, clock } = deps

  const enter = (client: Client, session: Session, found: Admission & { ok: true }): void => {
    session.guard.loggedIn()
    const { claims, permissions } = found
    const expiry = atInstant(clock, claims.exp * 1000, () => {
      log.info({ client: client.id, subject: claims.sub }, 'token has expired')
      client.close()
    })
    session.user = { claims, permissions }
    client.conn.once('close', () => expiry.cancel())
    if (client.closed) expiry.cancel()
  }

  return {
    preConnect: (client, packet, callback) => {
      const session = sessions.of(client)
      if (session) {
        session.clientId = packet.clientId
        if (packet.will) session.will = { topic: packet.will.topic, retain: packet.will.retain ?? false }
      }
      callback(null, session !== undefined)
    },

    authenticate: (client, _username, password, done) => {
      const session = sessions.of(client)
      const clientId = session?.clientId
      if (!session || clientId === undefined) return done(refusal('a CONNECT that nobody has seen', 3), false)
      admit({ clientId, clean: client.clean, password, will: session.will }, { ...deps, now: clock.now() }).then(
        (found) => {
          if (found.ok) {
            enter(client, session, found)
            return done(null, true)
          }
          log.info({ client: clientId, subject: found.subject, reason: found.reason }, 'connection refused')
          done(refusal(found.reason, found.code), false)
        },
        (error: unknown) => {
          log.error({ err: error, client: clientId }, 'login failed')
          done(refusal('login failed', 3), false)
        },
      )
    },

    // Whoever overrides this loses Aedes' own guard of `$SYS`: no permission covers a topic that starts with `$`.
    authorizePublish: (client, packet, callback) => {
      const user = sessions.of(client)?.user
      const { topic } = packet
      const fault = !user?.permissions.mayPublish(topic)
        ? `no right to publish to "${topic}"`
        : packet.retain && !user.permissions.mayRetain(topic)
          ? `"${topic}" is not a topic that is retained`
          : undefined
      if (fault !== undefined) {
        log.warn({ client: client?.id, subject: user?.claims.sub, topic, reason: fault }, 'publish refused')
        return callback(new Error(fault)) // closes the connection [MQTT-3.3.5-2]
      }
      const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
      const held = holds.offer({ topic, payload, retained: false })
      if (!held) return callback(null)
      held.then(
        () => callback(null),
        (error: unknown) => {
          log.warn({ err: error, client: client?.id, topic }, 'publish not taken')
          callback(new Error(`"${topic}" was not taken`, { cause: error }))
        },
      )
    },

    authorizeSubscribe: (client, subscription, callback) => {
      const user = sessions.of(client)?.user
      if (user?.permissions.maySubscribe(subscription.topic)) return callback(null, subscription)
      log.info({ client: client.id, subject: user?.claims.sub, filter: subscription.topic }, 'subscription refused')
      callback(null, null) // SUBACK 0x80 [MQTT-3.9.3]
    },

    // Once more on delivery: a kept session may have been opened with another token, of other rights.
    authorizeForward: (client, packet) => {
      if (!sessions.of(client)?.user?.permissions.mayReceive(packet.topic)) return null
      if (client.conn.writableLength <= mostUnsentBytes) return packet
      client.conn.destroy(new Error('the client does not take in what it is sent'))
      return null
    },
  }
}

const refusal = (reason: string, returnCode: number): AuthenticateError => Object.assign(new Error(reason), { returnCode })
