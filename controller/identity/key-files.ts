import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto'
import { existsSync, linkSync, readFileSync, unlinkSync } from 'node:fs'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import { newPrivateKey } from '../../base/p256.ts'

/** Puts a new private key into place, mode 0600, whole or not at all; unless another process was first: then its key stays. */
export const makeKeyFile = (file: string): void => {
  const draft = `${file}.${randomUUID().slice(0, 8)}`
  writeFileAtomic(draft, pemOf(newPrivateKey(), 'pkcs8'), 0o600)
  try {
    linkSync(draft, file) // unlike a rename it never replaces
  } catch (error) {
    if (!existsSync(file)) throw new Error(`Cannot make the key "${file}"`, { cause: error })
  } finally {
    unlinkSync(draft)
  }
}

export const privateKeyIn = (file: string): KeyObject => {
  try {
    const key = createPrivateKey(readFileSync(file))
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('it is not a P-256 key')
    return key
  } catch (error) {
    throw new Error(`Cannot read the key "${file}"`, { cause: error })
  }
}

export const pemOf = (key: KeyObject, type: 'pkcs8' | 'spki'): string => key.export({ type, format: 'pem' }).toString()
