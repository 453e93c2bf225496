import { SignJWT } from 'jose'
import { readTokenWith, type TokenReading } from '../../base/read-token.ts'
import { aclOf, tokenAlgorithm } from '../../schemas/token.ts'
import type { Role } from '../../schemas/topics.ts'
import type { RingKey } from './key-ring.ts'
import type { TokenKeys } from './token-keys.ts'

export interface TokenWish {
  subject: string
  role: Role
  fleet: string
  ttlSeconds: number
  /** Milliseconds since 1970. */
  now: number
  jti: string
  /** Thumbprint of the controller's newest command key; for devices, which trust nothing else. */
  ctl?: string | undefined
  /** Fingerprint of the broker's certificate. */
  ca?: string | undefined
}

/** Signs a token: the MQTT password and the HTTP bearer token alike. */
export const issueToken = (key: Pick<RingKey, 'kid' | 'privateKey'>, wish: TokenWish): Promise<string> => {
  const issuedAt = Math.floor(wish.now / 1000)
  const { role, fleet, ctl, ca } = wish
  const trust = { ...(ctl === undefined ? {} : { ctl }), ...(ca === undefined ? {} : { ca }) }
  return new SignJWT({ role, fleet, ...trust, acl: aclOf(fleet, role, wish.subject) })
    .setProtectedHeader({ alg: tokenAlgorithm, typ: 'JWT', kid: key.kid })
    .setSubject(wish.subject)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + wish.ttlSeconds)
    .setJti(wish.jti)
    .sign(key.privateKey)
}

/** Reads a bearer token: its claims, or why it is not believed. */
export const readToken = (
  keys: Pick<TokenKeys, 'publicKey'>,
  jwt: string,
  expected: { fleet: string; now: number },
): Promise<TokenReading> => readTokenWith(keys.publicKey, jwt, expected)
