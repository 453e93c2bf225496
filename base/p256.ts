import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { PublicJwk } from '../schemas/keys.ts'

/** The public half of a key, as it travels. */
export const jwkOf = (key: KeyObject): PublicJwk => {
  const { kty, crv, x, y } = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' })
  return PublicJwk.parse({ kty, crv, x, y })
}

/** The name of a key: its thumbprint [RFC 7638]. */
export const thumbprintOf = ({ crv, kty, x, y }: PublicJwk): string =>
  createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')

/** Undefined for what is no point of the curve. */
export const publicKeyOf = (jwk: PublicJwk): KeyObject | undefined => {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined // whoever sent it is told that it is no key
  }
}
