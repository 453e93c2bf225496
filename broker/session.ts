import type { Limits } from './limits.ts'
import { costOf, type Message, settled } from './message.ts'
import type { Qos } from './packets.ts'
import type { TokenMark } from './token-trust.ts'

/** What MQTT calls the session state [MQTT-3.1.2.4]: subscriptions, what was not acknowledged, and what waits. */
export interface Session {
  readonly clientId: string
  /** Whether it outlives its connection: the client has asked for it with CleanSession 0. */
  readonly isKept: boolean
  /** Whose it is: nobody else can open it. */
  subject: string | undefined
  /** The token that it was opened with last. */
  token: TokenMark | undefined
  readonly subscriptions: ReadonlyMap<string, Qos>
  subscribe(filter: string, qos: Qos): void
  /** Whether there was such a subscription. */
  unsubscribe(filter: string): boolean
  /** The length of all its filters together. */
  filterChars(): number
  /** Identifiers of messages of QoS 2 that the client has handed over and not released yet [MQTT-4.3.3-2]. */
  readonly received: Set<number>
  /** Keeps a message until it is acknowledged. `number` is Aedes' own of it. */
  keep(number: number, message: Message): void
  /** The identifier under which it goes out: one that is not in use [MQTT-2.3.1-2]. */
  identify(number: number): number
  /** It may not be sent to this client. */
  drop(number: number): void
  acknowledged(id: number): void
  /** PUBREC: the message is there, from now on its release is repeated instead. */
  receiptOf(id: number): void
  /**
   * What is to be sent when the client comes back, in the first order [MQTT-4.6.0-1]: with first identifiers, marked as sent before
   * [MQTT-3.3.1-1] [MQTT-4.4.0-1]. Each is asked for when the one before is out; what comes in meanwhile is found at the end.
   */
  backlog(): Iterable<Resent>
  attach(onOverflow: () => void): void
  detach(): void
  /** What is kept of it: what waits, and its filters. */
  keptBytes(): number
}

/** A packet as Aedes takes it from its persistence. */
export type Resent =
  | { cmd: 'pubrel'; messageId: number }
  | (Message & { cmd: 'publish'; brokerCounter: number; messageId: number; dup: boolean })

interface Kept {
  message: Message
  id: number | undefined
  isReceived: boolean
}

export const createSession = (
  clientId: string,
  isKept: boolean,
  limits: Limits,
  /** Told of each message that is given up because too much waits. */
  onDrop: (session: Session) => void,
): Session => {
  // Made when there is something to keep: most sessions are clean, and there are thousands.
  let kept: Map<number, Kept> | undefined // the oldest first
  let received: Set<number> | undefined
  const sent = new Map<number, number>() // the numbers of messages by their identifiers
  const subscriptions = new Map<string, Qos>()
  let filterChars = 0
  let bytes = 0
  let lastId = 0
  let overflow: (() => void) | undefined

  const forget = (number: number): void => {
    const one = kept?.get(number)
    if (!one) return
    kept?.delete(number)
    if (one.id !== undefined) sent.delete(one.id)
    bytes -= costOf(one.message)
  }

  /** Of a client that is away the oldest are dropped, so that it comes back to what is new. */
  const trim = (): void => {
    for (const number of kept?.keys() ?? []) {
      if (bytes <= limits.awayBytes && (kept?.size ?? 0) <= limits.awayMessages) return
      forget(number)
      onDrop(session)
    }
  }

  const identify = (number: number): number => {
    const one = kept?.get(number)
    if (one?.id !== undefined) return one.id
    do lastId = (lastId % 65_535) + 1
    while (sent.has(lastId))
    sent.set(lastId, number)
    if (one) one.id = lastId
    if (sent.size > limits.inFlight) overflow?.()
    return lastId
  }

  const session: Session = {
    clientId,
    isKept,
    subject: undefined,
    token: undefined,
    subscriptions,
    subscribe: (filter, qos) => {
      if (!subscriptions.has(filter)) filterChars += filter.length
      subscriptions.set(filter, qos)
    },
    unsubscribe: (filter) => {
      if (!subscriptions.delete(filter)) return false
      filterChars -= filter.length
      return true
    },
    filterChars: () => filterChars,
    get received() {
      received ??= new Set()
      return received
    },
    keep: (number, message) => {
      kept ??= new Map()
      kept.set(number, { message: { ...message, payload: settled(message.payload) }, id: undefined, isReceived: false })
      bytes += costOf(message)
      if (!overflow) trim()
      else if (bytes > limits.waitingBytes) overflow() // it reads, but acknowledges nothing
    },
    identify,
    drop: forget,
    acknowledged: (id) => {
      const number = sent.get(id)
      sent.delete(id)
      if (number !== undefined) forget(number)
    },
    receiptOf: (id) => {
      const one = kept?.get(sent.get(id) ?? Number.NaN)
      if (one) one.isReceived = true
    },
    backlog: function* () {
      for (const [number, one] of kept ?? []) {
        if (one.isReceived && one.id !== undefined) yield { cmd: 'pubrel', messageId: one.id }
        else {
          const dup = one.id !== undefined
          yield { ...one.message, cmd: 'publish', brokerCounter: number, messageId: identify(number), dup }
        }
      }
    },
    attach: (onOverflow) => {
      overflow = onOverflow
    },
    detach: () => {
      overflow = undefined
      if (isKept) trim()
    },
    keptBytes: () => bytes + filterChars,
  }
  return session
}
