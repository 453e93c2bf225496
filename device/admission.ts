import { Command, type CommandBody, commandBodies, type Verb, verbs } from '../schemas/exchange.ts'

export type Admitted = {
  [V in Verb]: {
    verb: V
    epoch: number /** By the controller's clock, in milliseconds. */
    issuedAt: number
    body: CommandBody<V>
  }
}[Verb]
export type Admission = { ok: true; command: Admitted } | { ok: false; reason: string }

export interface AdmissionContext {
  fleet: string
  device: string
  /** The highest epoch that was ever seen. */
  epoch: number
  /** The controller's time as the device carries it on, or null while it does not know it. */
  controllerNow: number | null
  wasSeen: (id: string) => boolean
}

/**
 * Decides whether a command is obeyed: not one that the broker had kept, not one for somebody else, of an earlier controller,
 * expired, or seen before. (Signatures are checked here too, once commands carry them.)
 */
export const admit = (message: { verb: string; retained: boolean; payload: unknown }, context: AdmissionContext): Admission => {
  if (message.retained) return no('retained')
  const parsed = Command.safeParse(message.payload)
  if (!parsed.success) return no('unreadable')
  const command = parsed.data
  if (command.fleet !== context.fleet || command.device !== context.device || command.verb !== message.verb) return no('foreign')
  if (command.epoch < context.epoch) return no('old_epoch')
  if (context.controllerNow !== null && Date.parse(command.expires_at) < context.controllerNow) return no('expired')
  if (context.wasSeen(command.id)) return no('seen')
  const verb = verbs.find((one) => one === command.verb)
  if (verb === undefined) return no('unknown_verb')
  const body = commandBodies[verb].safeParse(command.body)
  if (!body.success) return no('unreadable_body')
  return {
    ok: true,
    command: { verb, epoch: command.epoch, issuedAt: Date.parse(command.issued_at), body: body.data } as Admitted,
  } // verb and body were matched above
}

const no = (reason: string): Admission => ({ ok: false, reason })
