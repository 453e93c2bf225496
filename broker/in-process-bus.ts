import type { Aedes, AedesPublishPacket } from 'aedes'
import type { Bus, Message } from '../base/bus.ts'
import type { Log } from '../base/log.ts'
import { topicMatches } from '../schemas/topics.ts'
import { publisherOf } from './aedes-inside.ts'
import type { Hold, Holds } from './holds.ts'
import type { Retained } from './retained.ts'

interface Subscription {
  filter: string
  deliver: (packet: AedesPublishPacket, done: () => void) => void
  hold: Hold | undefined
  hasEnded: boolean
}

export interface InProcessBus extends Bus {
  /** Whether a message on this topic comes out here. */
  receives(topic: string): boolean
}

/** The bus of a part that lives in the broker's process: no socket, no encoding, and a receiver can hold the publisher's PUBACK. */
export const startInProcessBus = (deps: {
  aedes: Aedes
  holds: Holds
  retained: Retained
  /** Whether a client has subscribed to this topic, here or with a session that is kept, or a part in this process. */
  isSubscribed: (topic: string) => boolean
  unsentBytes: () => number
  log: Log
}): InProcessBus => {
  const { aedes, holds, retained, log } = deps
  let subscriptions: Subscription[] = []
  let onDisconnect: (() => void)[] = []
  let outbox: { topic: string; payload: Buffer; qos: 0 | 1; retain: boolean }[] = []
  let isOpen = true

  const receiveSafely = async (receive: (message: Message) => void | Promise<void>, message: Message): Promise<void> => {
    try {
      await receive(message)
    } catch (error) {
      log.error({ err: error, topic: message.topic }, 'receiver failed')
    }
  }

  const flush = (): void => {
    const messages = outbox
    outbox = []
    for (const message of messages)
      aedes.publish({ ...message, cmd: 'publish', dup: false }, (error) => {
        if (error) log.warn({ err: error, topic: message.topic }, 'message not published')
      })
  }

  const drop = (one: Subscription): void => {
    one.hasEnded = true // Aedes lets go of it a little later
    aedes.unsubscribe(one.filter, one.deliver, () => undefined)
  }

  return {
    publish: (topic, payload, { qos = 1, retain = false } = {}) => {
      if (!isOpen) return
      // Not in the middle of what the publisher does: a receiver in this process, the publisher itself maybe, runs on its own.
      if (outbox.length === 0) process.nextTick(flush)
      outbox.push({ topic, payload: bytesOf(payload), qos, retain })
    },
    subscribe: async (filter, receive, options = {}) => {
      if (!isOpen) throw new Error(`Cannot subscribe to "${filter}": the bus is closed`)
      const subscription: Subscription = {
        filter,
        hasEnded: false,
        hold: options.hold ? holds.add(filter, receive) : undefined,
        deliver: (packet, done) => {
          done()
          // What a client published was offered to the hold before its PUBACK; only our own messages come this way.
          if (subscription.hasEnded || (options.hold && publisherOf(packet) !== undefined)) return
          void receiveSafely(receive, { topic: packet.topic, payload: bytesOf(packet.payload), retained: false })
        },
      }
      subscriptions.push(subscription)
      aedes.subscribe(filter, subscription.deliver, () => undefined)
      for (const { topic, payload } of retained.matching(filter)) void receiveSafely(receive, { topic, payload, retained: true })
    },
    unsubscribe: (filter) => {
      for (const one of subscriptions.filter((each) => each.filter === filter)) {
        drop(one)
        one.hold?.remove()
      }
      subscriptions = subscriptions.filter((one) => one.filter !== filter)
    },
    isHeard: deps.isSubscribed,
    receives: (topic) => subscriptions.some((one) => topicMatches(one.filter, topic)),
    isConnected: () => isOpen,
    onConnect: (call) => {
      if (isOpen) call()
    },
    onDisconnect: (call) => {
      onDisconnect.push(call)
    },
    backlogBytes: deps.unsentBytes,
    close: async () => {
      if (!isOpen) return
      isOpen = false
      for (const one of subscriptions) {
        drop(one)
        one.hold?.refuse()
      }
      subscriptions = []
      flush() // what was published before the close still goes out
      for (const call of onDisconnect) call()
      onDisconnect = []
    },
  }
}

/** The same bytes as a Buffer, without a copy. */
const bytesOf = (payload: string | Uint8Array): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
