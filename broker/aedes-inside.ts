import type { EventEmitter } from 'node:events'
import type { Aedes, AedesPublishPacket, Client, PublishPacket } from 'aedes'

/** What we use of Aedes beyond its types, in one place: to be looked at when Aedes changes. */
interface Inside {
  clients: Record<string, Client | undefined>
  persistence: { createRetainedStreamCombi(filters: readonly string[]): AsyncIterable<PublishPacket> }
}

const inside = (aedes: Aedes): Inside => aedes as unknown as Inside // both are plain properties of every Aedes 1.x; see aedes.js

/** The connection that has a client id now. */
export const clientWithId = (aedes: Aedes, clientId: string): Client | undefined => inside(aedes).clients[clientId]

/** Every connection that has logged in. */
export const clientsOf = (aedes: Aedes): Client[] => Object.values(inside(aedes).clients).filter((client) => client !== undefined)

/** The retained messages that a filter matches. */
export const retainedOf = (aedes: Aedes, filter: string): AsyncIterable<PublishPacket> =>
  inside(aedes).persistence.createRetainedStreamCombi([filter])

/** Whether a client published this; else it comes from this process. */
export const isFromClient = (packet: AedesPublishPacket): boolean => Object.hasOwn(packet, 'clientId')

/** Aedes could not keep or pass on something. */
export const onBrokerFault = (aedes: Aedes, call: (error: Error) => void): void => {
  const events: EventEmitter = aedes
  events.on('error', call)
}
