import type { KeyObject } from 'node:crypto'
import { CompactEncrypt, compactDecrypt, errors } from 'jose'

/** How everything is sealed; nothing else is opened. */
const algorithm = 'ECDH-ES+A256KW'
const encryption = 'A256GCM'

/** Seals a text to the holder of a key, as a compact JWE: who carries it can neither read nor change it. */
export const seal = (text: string, to: KeyObject): Promise<string> =>
  new CompactEncrypt(Buffer.from(text)).setProtectedHeader({ alg: algorithm, enc: encryption }).encrypt(to)

/** Opens what was sealed to a key; undefined if it was sealed to another one, or changed on its way. */
export const unseal = async (sealed: string, key: KeyObject): Promise<string | undefined> => {
  try {
    const { plaintext } = await compactDecrypt(sealed, key, {
      keyManagementAlgorithms: [algorithm],
      contentEncryptionAlgorithms: [encryption],
    })
    return Buffer.from(plaintext).toString('utf8')
  } catch (error) {
    if (!(error instanceof errors.JOSEError) && !(error instanceof TypeError) && !isCryptoFault(error)) throw error
    return undefined
  }
}

// WebCrypto tells of a wrong key by a DOMException.
const isCryptoFault = (error: unknown): boolean => error instanceof Error && ['OperationError', 'DataError'].includes(error.name)
