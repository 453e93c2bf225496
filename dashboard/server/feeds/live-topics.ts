import type { Bus } from '../../../base/bus.ts'
import type { Log } from '../../../base/log.ts'
import { type LogRecord, readRecords } from '../../../schemas/log.ts'
import { readLogMessage } from '../../../schemas/log-message.ts'

/** A part of a log as its device sends it: read once, however many follow it. */
export interface LivePart {
  journal: string
  first: number
  last: number
  records(): readonly LogRecord[] | undefined
}

/** Subscriptions to topics of logs, shared by all who follow the same. */
export const createLiveTopics = (bus: Bus, log: Log) => {
  const topics = new Map<string, Set<(part: LivePart) => void>>()

  const open = (topic: string): Set<(part: LivePart) => void> => {
    const receivers = new Set<(part: LivePart) => void>()
    topics.set(topic, receivers)
    bus
      .subscribe(topic, ({ payload }) => {
        const message = readLogMessage(payload)
        if (!message) return
        let read: readonly LogRecord[] | undefined
        let hasRead = false
        const part: LivePart = {
          journal: message.head.journal,
          first: message.head.first,
          last: message.head.last,
          records: () => {
            if (!hasRead) read = readRecords(Buffer.from(message.records).toString('utf8'))
            hasRead = true
            return read
          },
        }
        for (const receive of [...receivers]) receive(part)
      })
      // Without it pages have to do.
      .catch((error: unknown) => log.warn({ err: error, topic }, 'a log cannot be followed live'))
    return receivers
  }

  return {
    follow: (topic: string, receive: (part: LivePart) => void): (() => void) => {
      const receivers = topics.get(topic) ?? open(topic)
      receivers.add(receive)
      return () => {
        receivers.delete(receive)
        if (receivers.size > 0 || topics.get(topic) !== receivers) return
        topics.delete(topic)
        bus.unsubscribe(topic)
      }
    },
  }
}
export type LiveTopics = ReturnType<typeof createLiveTopics>
