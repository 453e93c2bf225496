import type { Bus, Message, PublishOptions } from '../../base/bus.ts'
import { topicMatches } from '../../schemas/topics.ts'
import type { Time } from './sim-clock.ts'

export interface Weather {
  /** Probabilities for each message on its way. */
  drop: number
  double: number
  /** How late a message may come, and how often it is much later than that. */
  delayMs: number
  straggle: number
  /** How often a message of long ago comes once more. */
  replay: number
}

interface Client {
  name: string
  life: { isDead: boolean }
  isUp: boolean
  subscriptions: { filter: string; receive: (message: Message) => void | Promise<void>; granted: () => void }[]
  connects: (() => void)[]
  disconnects: (() => void)[]
  will: (() => { topic: string; payload: string; retain: boolean }) | null
  armed: { topic: string; payload: string; retain: boolean } | null
}

/** A broker that loses, doubles, delays, reorders and replays messages, forgets everything when it is told to, and keeps no promise. */
export const createSimBroker = (time: Time, random: () => number, weather: Weather) => {
  const clients = new Set<Client>()
  let retained = new Map<string, Uint8Array>()
  const past: { topic: string; payload: Uint8Array }[] = []
  const counts = { sent: 0, dropped: 0, doubled: 0, replayed: 0 }

  const travel = (arrive: () => void): void => {
    counts.sent++
    if (random() < weather.drop) {
      counts.dropped++
      return
    }
    const times = random() < weather.double ? 2 : 1
    if (times === 2) counts.doubled++
    for (let i = 0; i < times; i++)
      time.schedule(random() * weather.delayMs + (random() < weather.straggle ? random() * 20_000 : 0), arrive)
  }

  const deliver = (client: Client, message: Message): void => {
    travel(() => {
      if (!client.isUp || client.life.isDead) return
      for (const one of client.subscriptions) if (topicMatches(one.filter, message.topic)) void one.receive(message)
    })
  }

  const route = (topic: string, payload: Uint8Array, retain: boolean): void => {
    if (retain) {
      if (payload.length === 0) retained.delete(topic)
      else retained.set(topic, payload)
    }
    if (past.length < 5000) past.push({ topic, payload })
    for (const client of clients) {
      if (client.isUp && client.subscriptions.some((one) => topicMatches(one.filter, topic)))
        deliver(client, { topic, payload, retained: false })
    }
    const old = past[Math.floor(random() * past.length)]
    if (old && random() < weather.replay) {
      counts.replayed++
      for (const client of clients) {
        if (client.isUp && client.subscriptions.some((one) => topicMatches(one.filter, old.topic)))
          deliver(client, { ...old, retained: false })
      }
    }
  }

  const connect = (client: Client): void => {
    if (client.isUp || client.life.isDead) return
    client.isUp = true
    client.armed = client.will?.() ?? null
    for (const one of client.subscriptions) {
      one.granted()
      for (const [topic, payload] of retained)
        if (topicMatches(one.filter, topic)) deliver(client, { topic, payload, retained: true })
    }
    for (const call of client.connects) call()
  }

  /** The connection ends; the broker may or may not notice that the client is gone. */
  const disconnect = (client: Client, withWill: boolean): void => {
    if (!client.isUp) return
    client.isUp = false
    const will = client.armed
    client.armed = null
    if (withWill && will) time.schedule(random() * 3000, () => route(will.topic, Buffer.from(will.payload), will.retain))
    if (client.life.isDead) clients.delete(client)
    else {
      for (const call of client.disconnects) call()
      time.schedule(500 + random() * 8000, () => connect(client))
    }
  }

  const open = (
    name: string,
    life: { isDead: boolean },
    will: Client['will'],
  ): Bus & { cut: (withWill: boolean) => void; die: () => void } => {
    const client: Client = { name, life, isUp: false, subscriptions: [], connects: [], disconnects: [], will, armed: null }
    clients.add(client)
    time.schedule(random() * 500, () => connect(client))
    return {
      publish: (topic: string, payload: string | Uint8Array, options?: PublishOptions) => {
        if (!client.isUp || life.isDead) return
        const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
        travel(() => route(topic, bytes, options?.retain ?? false))
      },
      subscribe: (filter, receive) =>
        new Promise((resolve) => {
          client.subscriptions.push({ filter, receive, granted: resolve })
          if (!client.isUp) return
          resolve()
          for (const [topic, payload] of retained)
            if (topicMatches(filter, topic)) deliver(client, { topic, payload, retained: true })
        }),
      unsubscribe: (filter) => {
        client.subscriptions = client.subscriptions.filter((one) => one.filter !== filter)
      },
      isConnected: () => client.isUp,
      onConnect: (call) => {
        client.connects.push(call)
        if (client.isUp) call()
      },
      onDisconnect: (call) => {
        client.disconnects.push(call)
      },
      backlogBytes: () => 0,
      isHeard: () => true,
      close: async () => disconnect(client, false),
      cut: (withWill) => disconnect(client, withWill),
      die: () => disconnect(client, random() < 0.8),
    }
  }

  return {
    open,
    counts,
    weather,
    /** A new broker in the old one's place: it knows nothing, and nobody's will is published. */
    replace: (): void => {
      retained = new Map()
      for (const client of [...clients]) disconnect(client, false)
    },
    /** From now on the wire is good. */
    clear: (): void => {
      Object.assign(weather, { drop: 0, double: 0, delayMs: 20, straggle: 0, replay: 0 })
    },
  }
}
export type SimBroker = ReturnType<typeof createSimBroker>
export type SimBus = ReturnType<SimBroker['open']>
