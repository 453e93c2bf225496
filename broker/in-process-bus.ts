import type { Aedes, AedesPublishPacket } from 'aedes'
import type { Bus, Message, SubscribeOptions } from '../base/bus.ts'
import type { Log } from '../base/log.ts'
import { clientsOf, isFromClient, retainedOf } from './aedes-inside.ts'
import type { Hold, Holds } from './holds.ts'

interface Subscription {
  filter: string
  deliver: (packet: AedesPublishPacket, done: () => void) => void
  hold: Hold | undefined
}

/** The bus of a part that lives in the broker's process: no socket, no encoding, and a receiver can hold the publisher's PUBACK. */
export const startInProcessBus = (deps: { aedes: Aedes; holds: Holds; log: Log }): Bus => {
  const { aedes, holds, log } = deps
  let subscriptions: Subscription[] = []
  let onDisconnect: (() => void)[] = []
  let isOpen = true

  const receiveSafely = async (receive: (message: Message) => void | Promise<void>, message: Message): Promise<void> => {
    try {
      await receive(message)
    } catch (error) {
      log.error({ err: error, topic: message.topic }, 'receiver failed')
    }
  }

  const subscribe = async (
    filter: string,
    receive: (message: Message) => void | Promise<void>,
    options: SubscribeOptions,
  ): Promise<void> => {
    // A retained message that is read while its successor is delivered would come after it, and be old.
    let seenLive: Set<string> | undefined = new Set()
    const subscription: Subscription = {
      filter,
      hold: options.hold ? holds.add(filter, receive) : undefined,
      deliver: (packet, done) => {
        done() // a receiver is no socket: nobody's next packet waits for it
        // What a client published was offered to the hold before its PUBACK; only our own messages have no client.
        if (!isOpen || (options.hold && isFromClient(packet))) return
        seenLive?.add(packet.topic)
        void receiveSafely(receive, messageOf(packet, false))
      },
    }
    subscriptions.push(subscription)
    await new Promise<void>((resolve) => aedes.subscribe(filter, subscription.deliver, resolve))
    for await (const packet of retainedOf(aedes, filter)) {
      if (!isOpen || !subscriptions.includes(subscription)) return
      if (!seenLive.has(packet.topic)) void receiveSafely(receive, messageOf(packet, true))
    }
    seenLive = undefined
  }

  const drop = (subscription: Subscription): void => aedes.unsubscribe(subscription.filter, subscription.deliver, () => undefined)

  return {
    publish: (topic, payload, options = {}) => {
      if (!isOpen) return
      const packet = {
        cmd: 'publish' as const,
        topic,
        payload: bytesOf(payload),
        qos: options.qos ?? 1,
        retain: options.retain ?? false,
        dup: false,
      }
      // Each in a turn of its own. Aedes numbers a message when it is published, and a subscriber drops what comes with a lower number than it
      // has seen; but a retained one, or one of QoS 1, travels a few promises longer than a plain one. Published in one go, or in the middle
      // of a delivery, they would overtake each other and the later ones vanish. Between two immediates all promises have settled.
      setImmediate(() => {
        aedes.publish(packet, (error) => {
          if (error) log.warn({ err: error, topic }, 'message not published')
        })
      })
    },
    subscribe: async (filter, receive, options = {}) => {
      if (!isOpen) throw new Error(`Cannot subscribe to "${filter}": the bus is closed`)
      await subscribe(filter, receive, options)
    },
    unsubscribe: (filter) => {
      for (const one of subscriptions.filter((each) => each.filter === filter)) {
        drop(one)
        one.hold?.remove()
      }
      subscriptions = subscriptions.filter((one) => one.filter !== filter)
    },
    isConnected: () => isOpen,
    onConnect: (call) => {
      if (isOpen) call()
    },
    onDisconnect: (call) => {
      onDisconnect.push(call)
    },
    backlogBytes: () => clientsOf(aedes).reduce((sum, client) => sum + client.conn.writableLength, 0),
    close: async () => {
      if (!isOpen) return
      isOpen = false
      for (const one of subscriptions) {
        drop(one)
        one.hold?.refuse()
      }
      subscriptions = []
      // What was published before the close still goes out.
      await new Promise<void>((resolve) => setImmediate(resolve))
      for (const call of onDisconnect) call()
      onDisconnect = []
    },
  }
}

const messageOf = (packet: { topic: string; payload: string | Buffer }, retained: boolean): Message => ({
  topic: packet.topic,
  payload: bytesOf(packet.payload),
  retained,
})

/** The same bytes as a Buffer, without a copy. */
const bytesOf = (payload: string | Uint8Array): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
