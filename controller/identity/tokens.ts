import { SignJWT } from 'jose'
import { readTokenWith, type TokenReading } from '../../base/read-token.ts'
import { aclOf, tokenAlgorithm } from '../../schemas/token.ts'
import type { Role } from '../../schemas/topics.ts'
import type { TokenKey } from './keys.ts'

export interface TokenWish {
  subject: string
  role: Role
  fleet: string
  ttlSeconds: number
  /** Milliseconds since 1970. */
  now: number
  jti: string
}

/** Signs a token: the MQTT password and the HTTP bearer token alike. */
export const issueToken = (key: TokenKey, wish: TokenWish): Promise<string> => {
  const issuedAt = Math.floor(wish.now / 1000)
  return new SignJWT({ role: wish.role, fleet: wish.fleet, acl: aclOf(wish.fleet, wish.role, wish.subject) })
    .setProtectedHeader({ alg: tokenAlgorithm, typ: 'JWT', kid: key.kid })
    .setSubject(wish.subject)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + wish.ttlSeconds)
    .setJti(wish.jti)
    .sign(key.privateKey)
}

/** Reads a bearer token: its claims, or why it is not believed. */
export const readToken = (key: TokenKey, jwt: string, expected: { fleet: string; now: number }): Promise<TokenReading> =>
  readTokenWith(key.publicKey, jwt, expected)
