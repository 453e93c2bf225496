import { doublingMs } from '../../base/backoff.ts'
import type { Bus } from '../../base/bus.ts'
import type { Timer } from '../../base/clock.ts'
import type { MqttBus } from '../../base/mqtt-bus.ts'
import { type Outcome, refused } from '../../schemas/errors.ts'
import { type OperationName, type OutputOf, operations } from '../../schemas/operations.ts'
import { maxMessageBytes, Reply } from '../../schemas/request.ts'
import { topicOf } from '../../schemas/topics.ts'
import { CliFailure, exitCodes, unreachable } from './exit.ts'
import type { Io } from './io.ts'
import type { Where } from './where.ts'

export interface Client {
  fleet: string
  /**
   * Asks the controller, and repeats the same request until it is answered. Throws when it could not be reached in time.
   * With `follow` the changes of the task come too, for as long as the client is open.
   */
  ask<N extends OperationName>(operation: N, input: unknown, follow?: (output: unknown) => void): Promise<Outcome<OutputOf<N>>>
  bus: Bus
  close(): Promise<void>
}

/** A token may be refused by a broker that has just started and does not know its keys yet. */
const refusedForMs = 2000
const badToken: readonly number[] = [4, 5] // CONNACK: bad user name or password, not authorized [MQTT-3.2.2.3]

/** The client over a bus. */
export const clientOn = (
  bus: Bus & Partial<Pick<MqttBus, 'lastError' | 'onRefused'>>,
  where: Where,
  io: Io,
  timeoutMs: number,
): Client => {
  const { clock, chance } = io
  const replyTopic = topicOf(where.fleet, 'reply', { client: where.subject, rest: `cli-${chance.ulid(clock.now())}` })
  const pending = new Map<string, { answer: (outcome: Outcome<unknown>) => void; send: () => void }>()
  const followers = new Map<string, (output: unknown) => void>()
  let refusal: { reason: string; since: number } | undefined
  let fatal: CliFailure | undefined

  bus.onRefused?.((reason, code) => {
    if (badToken.includes(code)) refusal ??= { reason, since: clock.mono() }
  })
  bus.onConnect(() => {
    refusal = undefined
    for (const one of pending.values()) one.send()
  })
  bus
    .subscribe(replyTopic, ({ payload }) => {
      const reply = readReply(payload)
      if (!reply?.id) return
      if (reply.event) return followers.get(reply.id)?.(reply.output)
      pending.get(reply.id)?.answer(outcomeOf(reply))
    })
    .catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      fatal = new CliFailure(exitCodes.refused, 'forbidden', message)
      for (const one of pending.values()) one.send()
    })

  const ask = <N extends OperationName>(
    operation: N,
    input: unknown,
    follow?: (output: unknown) => void,
  ): Promise<Outcome<OutputOf<N>>> => {
    const id = chance.ulid(clock.now())
    const topic = topicOf(where.fleet, 'request', { client: where.subject, operation: operation.replaceAll('.', '/') })
    const message = JSON.stringify({ id, reply_to: replyTopic, ...(follow ? { follow: true } : {}), input })
    const size = Buffer.byteLength(message)
    if (size > maxMessageBytes - 1024) {
      return Promise.resolve(
        refused('too_large', `The request has ${size} bytes; a message carries at most ${maxMessageBytes - 1024}`),
      )
    }
    if (follow) followers.set(id, follow)
    return new Promise((resolve, reject) => {
      const startedAt = clock.mono()
      let attempt = 0
      let wasSent = false
      let timer: Timer | undefined
      let last: Outcome<OutputOf<N>> | undefined
      const settle = (how: () => void): void => {
        timer?.cancel()
        pending.delete(id)
        how()
      }
      const send = (): void => {
        timer?.cancel()
        const now = clock.mono()
        const leftMs = startedAt + timeoutMs - now
        if (refusal && now - refusal.since >= refusedForMs) {
          const message = `The broker at ${where.url} refuses the token: ${refusal.reason}`
          settle(() => reject(new CliFailure(exitCodes.refused, 'unauthorized', message)))
        } else if (fatal) {
          const failure = fatal
          settle(() => reject(failure))
        } else if (leftMs <= 0) {
          settle(() => (last ? resolve(last) : reject(unreachable(whyUnreachable(bus, where, timeoutMs), wasSent))))
        } else {
          if (bus.isConnected()) {
            bus.publish(topic, message, { qos: 1 })
            wasSent = true
          }
          timer = clock.after(Math.min(leftMs, doublingMs(attempt++, 200, 2000)), send)
        }
      }
      pending.set(id, {
        send,
        answer: (outcome) => {
          const read = typed(operation, outcome)
          // It could not be stored just now; the same request is asked again for as long as there is time. With details it is about a device.
          if (!read.ok && read.error.code === 'unavailable' && !read.error.details) {
            last = read
            return
          }
          settle(() => resolve(read))
        },
      })
      send()
    })
  }
  return { fleet: where.fleet, ask, bus, close: () => Promise.resolve(bus.close()) }
}

const whyUnreachable = (bus: Partial<Pick<MqttBus, 'lastError'>> & Bus, where: Where, timeoutMs: number): string => {
  const seconds = `${timeoutMs / 1000} s`
  if (bus.isConnected())
    return `The broker at ${where.url} answers, but no controller of fleet "${where.fleet}" did within ${seconds}`
  return `Cannot reach the broker at ${where.url} within ${seconds}: ${bus.lastError?.() ?? 'no connection'}`
}

const readReply = (payload: Uint8Array): Reply | undefined => {
  try {
    return Reply.safeParse(JSON.parse(Buffer.from(payload).toString('utf8'))).data
  } catch {
    return undefined // not JSON, so not from a controller; the request is repeated until one answers
  }
}

const outcomeOf = (reply: Reply): Outcome<unknown> =>
  reply.ok
    ? { ok: true, output: reply.output }
    : // Codes and details pass through as they are: a newer controller may know more of them.
      { ok: false, error: { code: 'internal', message: 'refused', retryable: false, ...(reply.error as object) } }

/** An answer as the table promises it. */
const typed = <N extends OperationName>(operation: N, outcome: Outcome<unknown>): Outcome<OutputOf<N>> => {
  if (!outcome.ok) return outcome
  const read = operations[operation].output.safeParse(outcome.output)
  if (!read.success)
    return refused('internal', `The answer to ${operation} is not understood; is the controller of another version?`)
  return { ok: true, output: read.data as OutputOf<N> } // parsed by the schema of this very operation
}
