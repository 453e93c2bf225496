import type { Bus, Message } from '../../base/bus.ts'
import type { Log } from '../../base/log.ts'
import { refused } from '../../schemas/errors.ts'
import { Request } from '../../schemas/request.ts'
import { filterOf, readTopic, replyTopicOf } from '../../schemas/topics.ts'
import { isDeviceAnswered } from '../../schemas/workload-operations.ts'
import type { Ask } from '../asking.ts'
import type { Audit } from '../audit.ts'

export interface MqttDoorDeps {
  fleet: string
  bus: Bus
  ask: Ask
  /** From now on the changes of this task go to that topic too. */
  follow: (taskId: string, topic: string, id: string | null) => void
  audit: Audit
  log: Log
}

/**
 * The MQTT door: requests under `request/<client>/<operation>`, answers to the client's reply tree. In the hub the PUBACK of a
 * request waits for the commit; where nothing can be stored there is no PUBACK and no reply.
 */
export const openMqttDoor = async ({ fleet, bus, ask, follow, audit, log }: MqttDoorDeps): Promise<void> => {
  const receive = async (message: Message): Promise<void> => {
    const topic = readTopic(fleet, message.topic)
    const client = topic?.params['client']
    const operation = operationOf(fleet, message.topic)
    if (topic?.name !== 'request' || client === undefined || operation === undefined || message.retained) return
    const request = readRequest(operation, message.payload)
    const answerTo = replyTopic(fleet, client, request.ok ? request.replyTo : undefined)
    const id = request.ok ? request.id : null
    if (!request.ok) audit(client, operation, 'invalid')
    const outcome = request.ok
      ? await ask({ subject: client, door: request.source, request: id }, operation, request.input)
      : refused('invalid', request.reason, [{ field: '(message)', code: 'invalid_json', message: request.reason }])
    if (request.ok && outcome.ok && request.follow) {
      const taskId = taskIdOf(outcome.output)
      if (taskId !== undefined) follow(taskId, answerTo, id)
    }
    bus.publish(answerTo, JSON.stringify({ id, ...outcome }), { qos: 1 })
  }
  await bus.subscribe(
    filterOf(fleet, 'request'),
    (message) => {
      const done = receive(message).catch((error: unknown) => {
        log.error({ err: error, topic: message.topic }, 'request could not be stored')
        throw error
      })
      if (!isDeviceAnswered(operationOf(fleet, message.topic) ?? '')) return done
      // A device takes its time, and a PUBACK that waits holds up all else that its client sends. Nothing is stored before the answer.
      done.catch(() => undefined)
      return undefined
    },
    { hold: true },
  )
}

const operationOf = (fleet: string, topic: string): string | undefined =>
  readTopic(fleet, topic)?.params['operation']?.replaceAll('/', '.')

type Read =
  | { ok: true; id: string | null; replyTo: string | undefined; follow: boolean; input: unknown; source: 'mqtt' | 'cli' }
  | { ok: false; reason: string }

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads an envelope; for task.submit a bare task, known by its payload, is its own envelope. */
const readRequest = (operation: string, payload: Uint8Array): Read => {
  let raw: unknown
  try {
    raw = payload.length === 0 ? {} : JSON.parse(utf8.decode(payload))
  } catch (error) {
    return { ok: false, reason: `the message is not JSON in UTF-8: ${error instanceof Error ? error.message : 'unreadable'}` }
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    return { ok: false, reason: 'the message is not a JSON object' }
  const isBare = operation === 'task.submit' && !('input' in raw)
  if (isBare) {
    const { follow, reply_to: replyTo, ...task } = raw as Record<string, unknown> // an object, as checked above
    const key = 'idempotency_key' in task ? task['idempotency_key'] : undefined
    const id = typeof key === 'string' ? key : null
    return {
      ok: true,
      id,
      replyTo: typeof replyTo === 'string' ? replyTo : undefined,
      follow: follow === true,
      input: task,
      source: 'mqtt',
    }
  }
  const request = Request.safeParse(raw)
  if (!request.success)
    return { ok: false, reason: `the envelope is {id, reply_to?, input}: ${request.error.issues[0]?.message ?? 'unreadable'}` }
  const { id, reply_to, follow, input } = request.data
  const inner = typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input } : input
  let follows = follow === true
  if (operation === 'task.submit' && typeof inner === 'object' && inner !== null && 'follow' in inner) {
    follows ||= inner.follow === true
    delete inner.follow
  }
  return { ok: true, id: id ?? null, replyTo: reply_to, follow: follows, input: inner, source: 'mqtt' }
}

/** The reply topic asked for, if it lies in the client's own tree; else the tree's root. */
const replyTopic = (fleet: string, client: string, asked: string | undefined): string => {
  const own = replyTopicOf(fleet, client)
  return asked?.startsWith(`${own}/`) && /^[a-z0-9-]+(\/[a-z0-9-]+){0,2}$/.test(asked.slice(own.length + 1)) ? asked : own
}

const taskIdOf = (output: unknown): string | undefined =>
  typeof output === 'object' && output !== null && 'task_id' in output && typeof output.task_id === 'string'
    ? output.task_id
    : undefined
