import type { KeyObject } from 'node:crypto'
import { readJws } from '../base/jws.ts'
import { Command, type CommandBody, commandBodies, type Verb, verbs } from '../schemas/exchange.ts'

export type Admitted = {
  [V in Verb]: {
    verb: V
    epoch: number /** By the controller's clock, in milliseconds. */
    issuedAt: number
    expiresAt: number
    nonce: string | null
    id: string
    body: CommandBody<V>
  }
}[Verb]
export type Admission =
  | { ok: true; command: Admitted }
  /** `issuedAt` only of what is signed by a key that is believed. */
  | { ok: false; reason: string; issuedAt?: number }

export interface AdmissionContext {
  fleet: string
  device: string
  /** The highest epoch that was ever seen. */
  epoch: number
  /** The controller's time as the device carries it on, or null while it does not know it. */
  controllerNow: number | null
  /** Of the hello that this device was welcomed for; null before the first welcome of a session. */
  nonce: string | null
  /** A key of the controller that is believed, by its thumbprint; `carried` is one that came along with the signature. */
  keyFor: (kid: string, carried: KeyObject | undefined) => KeyObject | undefined
  wasSeen: (id: string, expiresAt: number) => boolean
}

/**
 * Decides whether a command is obeyed: not one that the broker had kept, not one without a signature of a key that is believed,
 * for somebody else, of an earlier controller or an earlier session, expired, or seen before.
 */
export const admit = (message: { verb: string; retained: boolean; payload: unknown }, context: AdmissionContext): Admission => {
  if (message.retained) return no('retained')
  const signed = readJws(message.payload, 'skein-command', context.keyFor)
  if (!signed.ok) return no(signed.reason)
  const parsed = Command.safeParse(signed.payload)
  if (!parsed.success) return no('unreadable')
  const command = parsed.data
  if (command.fleet !== context.fleet || command.device !== context.device || command.verb !== message.verb) return no('foreign')
  if (command.epoch < context.epoch) return no('old_epoch')
  if (context.controllerNow !== null && Date.parse(command.expires_at) < context.controllerNow) return no('expired')
  const verb = verbs.find((one) => one === command.verb)
  if (verb === undefined) return no('unknown_verb')
  const body = commandBodies[verb].safeParse(command.body)
  if (!body.success) return no('unreadable_body')
  // A welcome names the hello that it answers; and a controller that does not know the session can only ask for a hello.
  const isUnbound = verb === 'welcome' || (verb === 'ack' && command.nonce === null)
  if (!isUnbound && command.nonce !== context.nonce)
    return { ok: false, reason: 'old_session', issuedAt: Date.parse(command.issued_at) }
  const expiresAt = Date.parse(command.expires_at)
  if (context.wasSeen(command.id, expiresAt)) return no('seen')
  const { epoch, nonce, id } = command
  const admitted = { verb, epoch, nonce, id, issuedAt: Date.parse(command.issued_at), expiresAt, body: body.data }
  return { ok: true, command: admitted as Admitted } // verb and body were matched above
}

const no = (reason: string): Admission => ({ ok: false, reason })
