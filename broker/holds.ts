import type { Message } from '../base/bus.ts'
import { topicMatches } from '../schemas/topics.ts'

/** Receivers whose answer the publisher's PUBACK waits for. */
export interface Holds {
  add(filter: string, receive: (message: Message) => void | Promise<void>): Hold
  /** Undefined if nobody holds this topic; else resolves when all have taken the message, rejects when one could not. */
  offer(message: Message): Promise<unknown> | undefined
}

export interface Hold {
  /** Gives the topic free: from now on a publish passes unheld. */
  remove(): void
  /** Its receiver has ended: what would have gone to it is refused, for a PUBACK would promise what nobody keeps. */
  refuse(): void
}

export const createHolds = (): Holds => {
  const held: { filter: string; receive: (message: Message) => void | Promise<void> }[] = []
  return {
    add: (filter, receive) => {
      const one = { filter, receive }
      held.push(one)
      return {
        remove: () => {
          const at = held.indexOf(one)
          if (at >= 0) held.splice(at, 1)
        },
        refuse: () => {
          one.receive = () => Promise.reject(new Error(`Nobody takes "${filter}" any more`))
        },
      }
    },
    offer: (message) => {
      const takers = held.filter((one) => topicMatches(one.filter, message.topic))
      if (takers.length === 0) return undefined
      return Promise.all(takers.map(async (one) => one.receive(message)))
    },
  }
}
