import type { EventEmitter } from 'node:events'
import type { Aedes, AedesPublishPacket, Client } from 'aedes'

/** What we use of Aedes beyond its types, in one place: to be looked at when Aedes changes. */
interface Inside {
  mq: { emit(packet: unknown, done: () => void): unknown }
  unregisterClient(client: Client): void
}

const inside = (aedes: Aedes): Inside => aedes as unknown as Inside // plain properties of every Aedes 1.x; see aedes.js

/**
 * A publisher does not wait for what its message is written to: a PUBREC would come behind that of a later message with fewer
 * subscribers [MQTT-4.6.0-3].
 */
export const letPublishersGo = (aedes: Aedes): void => {
  const { mq } = inside(aedes)
  const emit = mq.emit.bind(mq)
  mq.emit = (packet, done) => {
    emit(packet, () => undefined)
    done()
  }
}

/**
 * Aedes drops for a client what has a lower number than it has seen, to deliver once for overlapping subscriptions. Messages that are
 * published together overtake each other, and the later ones would vanish; `authorizeForward` knows the same message by itself.
 */
export const forgetNumbers = (aedes: Aedes, client: Client): void => {
  const { duplicates } = client as unknown as { duplicates: object } // see lib/client.js
  Object.defineProperty(duplicates, aedes.id, alwaysNone)
}

/** One for all clients: accessors of its own would give each of them a hidden class of its own. */
const alwaysNone: PropertyDescriptor = { get: () => 0, set: () => undefined }

/** It closed while it was let in, so Aedes would list it for ever. */
export const forgetClosed = (aedes: Aedes, client: Client): void => {
  if (client.closed) inside(aedes).unregisterClient(client)
}

/** The client id of who published this; undefined if it comes from this process. */
export const publisherOf = (packet: AedesPublishPacket): string | undefined => (packet as { clientId?: string }).clientId // see emitPacket in aedes.js

/** Aedes could not keep or pass on something. */
export const onBrokerFault = (aedes: Aedes, call: (error: Error) => void): void => {
  const events: EventEmitter = aedes
  events.on('error', call)
}
