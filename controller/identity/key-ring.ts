import { createPublicKey, type KeyObject } from 'node:crypto'
import { mkdirSync, readdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Signer, signerOf } from '../../base/jws.ts'
import { jwkOf } from '../../base/p256.ts'
import type { PublicJwk } from '../../schemas/keys.ts'
import { makeKeyFile, privateKeyIn } from './key-files.ts'

/** One key, named by its thumbprint, with all that is done with it. */
export interface RingKey extends Signer {
  privateKey: KeyObject
  publicKey: KeyObject
  jwk: PublicJwk
}

/** Keys of one purpose, newest first. The newest signs; the older ones stay for a while, to introduce it to who knows only them. */
export interface KeyRing {
  /** Thumbprints, newest first. */
  kids(): string[]
  /** Their public halves, in the same order. */
  jwks(): PublicJwk[]
  newest(): RingKey
  oldest(): RingKey
  /** The newest that somebody believes; the newest of all if it is not known, or none of them. */
  believedBy(kids: readonly string[] | undefined): RingKey
  publicKey(kid: string): KeyObject | undefined
}

/** A ring that lies in files. */
export interface KeyRingFiles extends KeyRing {
  /** Makes a new key, by which everything is signed from now on. Gives its thumbprint. */
  rotate(): string
  /** Deletes an older key. */
  forget(kid: string): 'forgotten' | 'unknown' | 'newest'
}

export const keyRingOf = (privateKeys: () => readonly KeyObject[]): KeyRing => {
  const known = new Map<KeyObject, RingKey>()
  const all = (): RingKey[] =>
    privateKeys().map((privateKey) => {
      const one = known.get(privateKey) ?? ringKeyOf(privateKey)
      known.set(privateKey, one)
      return one
    })
  const at = (index: 0 | -1): RingKey => {
    const one = all().at(index)
    if (!one) throw new Error('There is no key to sign with')
    return one
  }
  return {
    kids: () => all().map((one) => one.kid),
    jwks: () => all().map((one) => one.jwk),
    newest: () => at(0),
    oldest: () => at(-1),
    believedBy: (kids) => all().find((one) => kids?.includes(one.kid)) ?? at(0),
    publicKey: (kid) => all().find((one) => one.kid === kid)?.publicKey,
  }
}

const ringKeyOf = (privateKey: KeyObject): RingKey => ({
  ...signerOf(privateKey),
  privateKey,
  publicKey: createPublicKey(privateKey),
  jwk: jwkOf(privateKey),
})

/**
 * The ring in a folder: `<name>-<n>.pem`, the newest with the highest number; one without a number is the first. Where there is none
 * a first one is made.
 */
export const openKeyRing = (folder: string, name: string, first: string): KeyRingFiles => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const pattern = new RegExp(`^${name}(?:-(\\d+))?\\.pem$`)
  const files = (): { n: number; file: string }[] =>
    readdirSync(folder)
      .flatMap((file) => {
        const found = pattern.exec(file)
        return found ? [{ n: Number(found[1] ?? 1), file: join(folder, file) }] : []
      })
      .sort((a, b) => b.n - a.n)
  const load = () => files().map((one) => ({ ...one, key: privateKeyIn(one.file) }))
  if (files().length === 0) makeKeyFile(join(folder, first))
  let loaded = load()
  const ring = keyRingOf(() => loaded.map((one) => one.key))
  return {
    ...ring,
    rotate: () => {
      makeKeyFile(join(folder, `${name}-${(loaded[0]?.n ?? 0) + 1}.pem`))
      loaded = load()
      return ring.newest().kid
    },
    forget: (kid) => {
      const at = ring.kids().indexOf(kid)
      const one = loaded[at]
      if (!one) return 'unknown'
      if (at === 0) return 'newest'
      unlinkSync(one.file)
      loaded = load()
      return 'forgotten'
    },
  }
}
