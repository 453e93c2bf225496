import { Readable } from 'node:stream'
import type { Aedes, AedesPublishPacket, Client, Subscription } from 'aedes'
import type { FilterTree } from './filter-tree.ts'
import type { Message } from './message.ts'
import type { Qos } from './packets.ts'
import type { Retained } from './retained.ts'
import type { Resent, Session } from './session.ts'

/**
 * What Aedes keeps, in memory: it asks here for retained messages, and for sessions and what waits in them. Everything is answered at
 * once, not in a later turn: Aedes numbers a message when it comes, and whatever waited longer than its successor would be overtaken,
 * or vanish after its PUBACK (aedes#994).
 */
export const aedesMemory = (deps: {
  retained: Retained
  tree: FilterTree<Session>
  sessionOf: (clientId: string) => Session | undefined
  onNotKept: (topic: string) => void
  /** All that has waited is out: what comes from now on goes straight to the client. */
  onCaughtUp: (clientId: string) => void
}) => {
  const { retained, tree, sessionOf, onNotKept, onCaughtUp } = deps
  let asker: Asker | undefined
  // By the session, which may end while its client is being told: what has left in the middle is never written.
  const written = new WeakMap<Session, () => void>()

  /** One by one: what Aedes has asked for ahead would be overtaken by what comes in meanwhile. */
  async function* backlogOf(session: Session): AsyncGenerator<Resent> {
    for (const one of session.backlog()) {
      const isOut = new Promise<void>((resolve) => written.set(session, resolve))
      yield one
      await isOut
    }
    written.delete(session)
    onCaughtUp(session.clientId)
  }

  return {
    setup: async (_: Aedes) => undefined,

    storeRetained: (packet: AedesPublishPacket) => {
      if (!retained.keep(messageOf(packet, packet.qos))) onNotKept(packet.topic)
      return now(undefined)
    },
    createRetainedStreamCombi: (filters: readonly string[]) => {
      const lastBefore = asker ?? (() => retained.last())
      asker = undefined
      const found = filters.flatMap((filter) => retained.matching(filter).filter((one) => one.number <= lastBefore(filter)))
      return Readable.from(found.map((one) => ({ ...one, cmd: 'publish' })))
    },
    /** Who asks for what is retained next. */
    asks: (one: Asker): void => {
      asker = one
    },

    // Subscriptions are entered when they are granted: Aedes would enter those that were refused too.
    addSubscriptions: () => now(undefined),
    removeSubscriptions: () => now(undefined),
    cleanSubscriptions: () => now(undefined),
    subscriptionsByClient: ({ id }: Pick<Client, 'id'>) =>
      now([...(sessionOf(id)?.subscriptions ?? [])].map(([topic, qos]): Subscription => ({ topic, qos }))),
    subscriptionsByTopic: (topic: string) => {
      // One for each client, at the highest QoS of all its subscriptions that match [MQTT-3.3.5-1].
      const found = new Map<Session, Qos>()
      tree.match(topic, (session, qos) => {
        if (session.isKept && qos > (found.get(session) ?? 0)) found.set(session, qos)
      })
      return now([...found].map(([session, qos]) => ({ session, qos, topic })))
    },

    outgoingEnqueueCombi: (subscribers: readonly { session: Session; qos: Qos }[], packet: AedesPublishPacket) => {
      for (const { session, qos } of subscribers)
        session.keep(packet.brokerCounter, { ...messageOf(packet, lower(packet.qos, qos)), retain: false })
      return now(undefined)
    },
    outgoingStream: ({ id, clean }: Client) => {
      const session = sessionOf(id)
      return Readable.from(session && !clean ? backlogOf(session) : [])
    },
    outgoingUpdate: ({ id }: Client, packet: { cmd: string; messageId: number }) => {
      const session = sessionOf(id)
      if (!session) return now(undefined)
      if (packet.cmd === 'pubrel') session.receiptOf(packet.messageId)
      const isOut = written.get(session)
      written.delete(session)
      isOut?.()
      return now(undefined)
    },
    outgoingClearMessageId: ({ id }: Client, packet: { messageId?: number }) => {
      if (packet.messageId !== undefined) sessionOf(id)?.acknowledged(packet.messageId)
      return now(packet)
    },

    incomingStorePacket: ({ id }: Client, { messageId }: { messageId: number }) => {
      sessionOf(id)?.received.add(messageId)
      return now(undefined)
    },
    incomingGetPacket: ({ id }: Client, packet: { messageId: number }) =>
      sessionOf(id)?.received.has(packet.messageId) ? now(packet) : absent,
    incomingDelPacket: ({ id }: Client, { messageId }: { messageId: number }) =>
      sessionOf(id)?.received.delete(messageId) ? now(undefined) : absent,
    cleanIncoming: () => now(undefined), // a session takes it along when it ends

    // A connection has its will at hand; a store of them is for clusters.
    putWill: () => now(undefined),
    delWill: () => now(undefined),
    streamWill: () => Readable.from([]),
  }
}

export const lower = (one: Qos, other: Qos): Qos => (one < other ? one : other)

const messageOf = ({ topic, payload, retain }: AedesPublishPacket, qos: Qos): Message => ({
  topic,
  payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
  qos,
  retain,
})

/** Tells the number of the last retained message before this filter was subscribed to: a later one has come to the client anyway. */
type Asker = (filter: string) => number

/** A promise that has been kept: who asks is answered in the same breath. */
const now = <T>(value: T) => ({
  // biome-ignore lint/suspicious/noThenProperty: it stands where Aedes looks for a promise
  then: (kept: (value: T) => void): void => kept(value),
  finally: (call: () => void): void => call(),
})

const absent = {
  // biome-ignore lint/suspicious/noThenProperty: it stands where Aedes looks for a promise
  then: (_: unknown, broken: (error: Error) => void): void => broken(new Error('no such packet')),
}
