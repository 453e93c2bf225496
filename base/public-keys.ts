import { createPublicKey, type KeyObject } from 'node:crypto'
import { jwkOf, thumbprintOf } from './p256.ts'

/** The public keys in a text of PEM, by their thumbprints. Throws if there is none, or one that is not for ES256. */
export const publicKeysIn = (pem: string): ReadonlyMap<string, KeyObject> => {
  const blocks = pem.match(/-----BEGIN ([^-]+)-----[^-]+-----END \1-----/g) ?? []
  if (blocks.length === 0) throw new Error('there is no public key in it')
  return new Map(
    blocks.map((block) => {
      const key = createPublicKey(block)
      return [thumbprintOf(jwkOf(key)), key] as const
    }),
  )
}
