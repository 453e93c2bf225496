import { type KeyFor, readTokenWith, type TokenReading } from '../base/read-token.ts'
import { keptFor } from '../schemas/client-ids.ts'
import type { TokenClaims } from '../schemas/token.ts'
import type { Role } from '../schemas/topics.ts'
import { type Permissions, renewalOnly } from './permissions.ts'
import type { TokenMark } from './token-trust.ts'

/** A CONNECT packet, as far as admission depends on it. The user name plays no part. */
export interface Knock {
  clientId: string
  clean: boolean
  password: Uint8Array | undefined
  will: { topic: string; retain: boolean } | undefined
}

/** The return codes of CONNACK that a refusal can have [MQTT-3.2.2.3]. */
export const refusalCodes = { identifier: 2, credentials: 4, notAuthorized: 5 } as const

export type Admission =
  /** It is let in until `endsAt`, in milliseconds since 1970. */
  | { ok: true; claims: TokenClaims; kid: string; permissions: Permissions; endsAt: number }
  | { ok: false; code: (typeof refusalCodes)[keyof typeof refusalCodes]; reason: string; subject?: string }

/** How long a device may stay that has come with an expired token, to ask for a new one. */
const renewalMs = 30_000

/** Decides who is let in: the token is the password, rights follow it, never the client id or the user name. */
export const admit = async (
  knock: Knock,
  deps: {
    fleet: string
    keyFor: KeyFor
    permissionsFor: (role: Role, subject: string) => Permissions
    now: number
    holderOf: (clientId: string) => string | undefined
    isRevoked: (token: TokenMark) => boolean
  },
): Promise<Admission> => {
  const badId = faultOfId(knock)
  if (badId !== undefined) return { ok: false, code: refusalCodes.identifier, reason: badId }
  if (knock.password === undefined || knock.password.length === 0)
    return { ok: false, code: refusalCodes.credentials, reason: 'no password: it is the token' }

  const read = await readTokenWith(deps.keyFor, Buffer.from(knock.password).toString('utf8'), deps)
  const claims = read.ok ? read.claims : read.expired
  const mayRenew = !read.ok && claims?.role === 'device'
  if (!claims || read.kid === undefined || !(read.ok || mayRenew))
    return { ok: false, code: refusalCodes.credentials, reason: reasonOf(read) }
  const { kid } = read
  const subject = claims.sub
  if (deps.isRevoked({ jti: claims.jti, kid }))
    return { ok: false, code: refusalCodes.notAuthorized, reason: 'the token was revoked', subject }

  if (mayRenew && keptFor(deps.fleet, knock.clientId) !== undefined)
    return {
      ok: false,
      code: refusalCodes.identifier,
      reason: `the token has expired, so "${knock.clientId}" is not for it`,
      subject,
    }
  const taken = faultOfHolder(knock.clientId, claims, deps.fleet, deps.holderOf(knock.clientId))
  if (taken !== undefined) return { ok: false, code: refusalCodes.identifier, reason: taken, subject }

  const permissions = mayRenew ? renewalOnly(deps.fleet, subject) : deps.permissionsFor(claims.role, subject)
  const { will } = knock
  if (will && !(permissions.mayPublish(will.topic) && (!will.retain || permissions.mayRetain(will.topic))))
    return { ok: false, code: refusalCodes.notAuthorized, reason: `no right to a will on "${will.topic}"`, subject }
  return { ok: true, claims, kid, permissions, endsAt: mayRenew ? deps.now + renewalMs : claims.exp * 1000 }
}

const reasonOf = (read: TokenReading): string => (read.ok ? '' : read.reason)

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const notInIds = /[+#/\u0000-\u001f\u007f-\u009f\ufffd]/

const faultOfId = ({ clientId, clean }: Knock): string | undefined => {
  if (clientId === '') return clean ? undefined : 'an empty client id has no session to keep' // [MQTT-3.1.3-8]
  // An id that is a wildcard or a path gets past any rule that builds a topic of it; and it goes into logs.
  if (clientId.length > 256 || notInIds.test(clientId)) return 'a client id has no +, # or /, and no control characters'
  return undefined
}

const faultOfHolder = (clientId: string, claims: TokenClaims, fleet: string, present: string | undefined): string | undefined => {
  const kept = keptFor(fleet, clientId)
  if (kept === 'controller') return claims.role === 'controller' ? undefined : `"${clientId}" is kept for the controller`
  if (kept !== undefined && !(claims.role === 'device' && claims.sub === kept.device))
    return `"${clientId}" is kept for device "${kept.device}"`
  // A second connection with an id throws the first one out [MQTT-3.1.4-2]: that is for its own holder to do.
  if (clientId !== '' && present !== undefined && present !== claims.sub) return `"${clientId}" is in use by another subject`
  return undefined
}
