import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs'
import { calculateJwkThumbprint, exportJWK } from 'jose'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { pathsIn } from '../../base/paths.ts'

/** The key that a fleet's tokens are signed with. `kid` is the thumbprint of its public half (RFC 7638). */
export interface TokenKey {
  kid: string
  privateKey: KeyObject
  publicKey: KeyObject
  privateKeyPem: string
  publicKeyPem: string
}

export type TokenKeyPaths = Pick<ReturnType<typeof pathsIn>, 'keys' | 'tokenKey' | 'tokenKeyPublic'>

/** Loads the fleet's token key, or makes it on first start. Two processes that race end with the same key. */
export const openTokenKey = async (paths: TokenKeyPaths): Promise<TokenKey> => {
  mkdirSync(paths.keys, { recursive: true, mode: 0o700 })
  if (!existsSync(paths.tokenKey)) makeKey(paths.tokenKey)
  const privateKey = privateKeyIn(paths.tokenKey)
  const publicKey = createPublicKey(privateKey)
  const publicKeyPem = pemOf(publicKey, 'spki')
  // For a broker apart (--token-key); whoever writes it writes the same.
  if (textOf(paths.tokenKeyPublic) !== publicKeyPem) writeFileAtomic(paths.tokenKeyPublic, publicKeyPem)
  const kid = await calculateJwkThumbprint(await exportJWK(publicKey))
  return { kid, privateKey, publicKey, privateKeyPem: pemOf(privateKey, 'pkcs8'), publicKeyPem }
}

/** Puts a new key into place, whole or not at all, unless another process was first. */
const makeKey = (file: string): void => {
  const draft = `${file}.${randomUUID().slice(0, 8)}`
  writeFileAtomic(draft, pemOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'pkcs8'), 0o600)
  try {
    linkSync(draft, file) // unlike a rename it never replaces: the first key stays
  } catch (error) {
    if (!existsSync(file)) throw new Error(`Cannot make the token key "${file}"`, { cause: error })
  } finally {
    unlinkSync(draft)
  }
}

const privateKeyIn = (file: string): KeyObject => {
  try {
    const key = createPrivateKey(readFileSync(file))
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is not a P-256 key')
    return key
  } catch (error) {
    throw new Error(`Cannot read the token key "${file}"`, { cause: error })
  }
}

const pemOf = (key: KeyObject, type: 'pkcs8' | 'spki'): string => key.export({ type, format: 'pem' }).toString()

const textOf = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)
