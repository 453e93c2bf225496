import type { Bus, Message } from '../../base/bus.ts'
import type { Where } from '../../controller/cli/where.ts'
import { readTopic, topicMatches } from '../../schemas/topics.ts'

export const where: Where = { url: 'mqtt://test', token: 't', fleet: 'default', subject: 'ann', login: 'token' }

/** A bus within this process that may lose what it is given. */
export const memoryBus = (loses: () => boolean = () => false) => {
  const subscriptions: { filter: string; receive: (message: Message) => void | Promise<void> }[] = []
  let isConnected = true
  const onConnect: (() => void)[] = []
  const bus: Bus = {
    publish: (topic, payload) => {
      if (!isConnected || loses()) return
      const message = { topic, payload: Buffer.from(payload), retained: false }
      for (const one of [...subscriptions]) if (topicMatches(one.filter, topic)) setImmediate(() => void one.receive(message))
    },
    subscribe: (filter, receive) => {
      subscriptions.push({ filter, receive })
      return Promise.resolve()
    },
    unsubscribe: (filter) => {
      const at = subscriptions.findIndex((one) => one.filter === filter)
      if (at !== -1) subscriptions.splice(at, 1)
    },
    isConnected: () => isConnected,
    onConnect: (call) => {
      onConnect.push(call)
      if (isConnected) call()
    },
    onDisconnect: () => undefined,
    backlogBytes: () => 0,
    isHeard: () => true,
    close: () => Promise.resolve(),
  }
  const connect = (state: boolean) => {
    isConnected = state
    if (state) for (const call of onConnect) call()
  }
  return { bus, connect, subscriptions }
}

export interface Asked {
  id: string
  replyTo: string
  operation: string
  input: Record<string, unknown>
  follow: boolean
}

/** A controller that answers with what the test says; undefined is silence. */
export const serve = (bus: Bus, answer: (asked: Asked) => unknown) => {
  const seen: Asked[] = []
  void bus.subscribe('skein/v1/default/request/#', ({ topic, payload }) => {
    const { id, reply_to, input, follow } = JSON.parse(Buffer.from(payload).toString())
    const operation = readTopic('default', topic)?.params['operation']?.replaceAll('/', '.') ?? ''
    const asked = { id, replyTo: reply_to, operation, input, follow: follow === true }
    seen.push(asked)
    const reply = answer(asked)
    if (reply !== undefined) bus.publish(reply_to, JSON.stringify({ id, ...Object(reply) }))
  })
  return seen
}
