import type { KeyFor } from '../base/read-token.ts'
import { admit, type Knock, refusalCodes } from './authentication.ts'
import { type Permissions, permissionsIn } from './permissions.ts'
import type { TokenMark } from './token-trust.ts'

/** Who has logged in, and what they may do. */
export interface User {
  subject: string
  permissions: Permissions
  /** Which token it has, and until when that lets it in. Nobody has one where all are let in. */
  token: (TokenMark & { endsAt: number }) | undefined
}

export type Entrance =
  | { ok: true; user: User }
  | { ok: false; code: (typeof refusalCodes)[keyof typeof refusalCodes]; reason: string; subject?: string }

/** Decides who is let in. */
export type Door = (knock: Knock) => Promise<Entrance>

/** Lets in who has a token of this fleet. */
export const tokenDoor = (deps: {
  fleet: string
  keyFor: KeyFor
  now: () => number
  holderOf: (clientId: string) => string | undefined
  isRevoked: (token: TokenMark) => boolean
}): Door => {
  const permissionsFor = permissionsIn(deps.fleet)
  return async (knock) => {
    const found = await admit(knock, { ...deps, permissionsFor, now: deps.now() })
    if (!found.ok) return found
    const { claims, kid, permissions, endsAt } = found
    return { ok: true, user: { subject: claims.sub, permissions, token: { jti: claims.jti, kid, endsAt } } }
  }
}

/** Lets everybody in, to everything: for trials of MQTT itself, on loopback. */
export const openDoor: Door = async ({ clientId, clean }) =>
  clientId === '' && !clean
    ? { ok: false, code: refusalCodes.identifier, reason: 'an empty client id has no session to keep' } // [MQTT-3.1.3-8]
    : { ok: true, user: { subject: '', permissions: everything, token: undefined } }

const everything: Permissions = {
  mayPublish: (topic) => !topic.startsWith('$'),
  // A client that is told nothing learns as much as one that is thrown out [MQTT-3.3.5-2], and goes on with its trial.
  ignores: (topic) => topic.startsWith('$'),
  mayRetain: () => true,
  // One filter that is refused: so a client can be tried with a refusal. It is the one that public test suites ask for.
  maySubscribe: (filter) => filter !== 'test/nosubscribe' && !filter.startsWith('$share/'),
  mayReceive: (topic) => !topic.startsWith('$'), // what Aedes tells about itself is nobody's
}
