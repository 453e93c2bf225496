import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { PublicJwk } from '../schemas/keys.ts'

/**
 * A new private key. It leaves the generator as bytes and is read again: Node locks a key while it exports it, and lets go of a generator
 * whenever it collects garbage, for which it takes the same lock. A key that came from it directly hangs the process for good, now and then.
 */
export const newPrivateKey = (): KeyObject => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  })
  return createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' })
}

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
