import { createPrivateKey, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../base/atomic-file.ts'
import { type Signer, signerOf } from '../base/jws.ts'
import { jwkOf, newPrivateKey } from '../base/p256.ts'
import type { DeviceKeys } from '../schemas/exchange.ts'

/** The device's own keys, made by itself; the private halves never leave it. */
export interface DeviceIdentity {
  public: DeviceKeys
  /** Signs requests to join and for a new token. */
  signer: Signer
  /** Opens what is sealed to this device. */
  sealKey: KeyObject
}

const PrivateJwk = z.looseObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string(), y: z.string(), d: z.string() })
const File = z.looseObject({ sign: PrivateJwk, seal: PrivateJwk })

/** Reads the device's keys, or makes them: a file of mode 0600. */
export const openIdentity = (file: string): DeviceIdentity => {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const [sign, seal] = [0, 1].map(() => newPrivateKey().export({ format: 'jwk' }))
    writeFileAtomic(file, `${JSON.stringify({ sign, seal })}\n`, 0o600)
  }
  try {
    const { sign, seal } = File.parse(JSON.parse(readFileSync(file, 'utf8')))
    const [signKey, sealKey] = [createPrivateKey({ key: sign, format: 'jwk' }), createPrivateKey({ key: seal, format: 'jwk' })]
    return { public: { sign: jwkOf(signKey), seal: jwkOf(sealKey) }, signer: signerOf(signKey), sealKey }
  } catch (error) {
    throw new Error(`Cannot read the device's keys "${file}"`, { cause: error })
  }
}
