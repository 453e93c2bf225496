import { type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { Jws, PublicJwk } from '../schemas/keys.ts'
import { jwkOf, publicKeyOf, thumbprintOf } from './p256.ts'

/** What a signature is for. It is signed along, so that what was signed for one purpose serves no other. */
export type JwsType =
  | 'skein-command'
  | 'skein-epoch'
  | 'skein-revoked'
  | 'skein-join'
  | 'skein-joined'
  | 'skein-renew'
  | 'skein-release'
  | 'skein-desired'

const Header = z.looseObject({ alg: z.literal('ES256'), kid: z.string(), typ: z.string(), jwk: PublicJwk.optional() })

export interface Signer {
  /** The thumbprint of the key. */
  readonly kid: string
  /** Signs a text of JSON. With `withKey` the public key goes along, for who knows its thumbprint only. */
  sign(type: JwsType, payload: string, options?: { withKey?: boolean }): Jws
}

/** Signs with ES256 by node:crypto, which is three times as fast as what is written in JavaScript around it. */
export const signerOf = (privateKey: KeyObject): Signer => {
  const jwk = jwkOf(privateKey)
  const kid = thumbprintOf(jwk)
  const headers = new Map<string, string>()
  const headerFor = (typ: JwsType, withKey: boolean): string => {
    const name = `${typ} ${withKey}`
    let header = headers.get(name)
    if (header === undefined) {
      header = base64url(JSON.stringify({ alg: 'ES256', kid, typ, ...(withKey ? { jwk } : {}) }))
      headers.set(name, header)
    }
    return header
  }
  return {
    kid,
    sign: (type, text, { withKey = false } = {}) => {
      const header = headerFor(type, withKey)
      const payload = base64url(text)
      const signature = sign('sha256', Buffer.from(`${header}.${payload}`), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return { protected: header, payload, signature: signature.toString('base64url') }
    },
  }
}

export type JwsReading =
  | { ok: true; payload: unknown; kid: string; jwk: PublicJwk | undefined }
  | { ok: false; reason: 'unsigned' | 'unknown_key' | 'bad_signature' | 'unreadable' }

/**
 * Reads a signed message. `keyFor` decides by its thumbprint whether a key is trusted, and has it at hand or takes the one that
 * came along, whose thumbprint was checked.
 */
export const readJws = (
  value: unknown,
  type: JwsType,
  keyFor: (kid: string, carried: KeyObject | undefined) => KeyObject | undefined,
): JwsReading => {
  const jws = Jws.safeParse(value)
  if (!jws.success) return { ok: false, reason: 'unsigned' }
  const header = Header.safeParse(jsonOf(jws.data.protected))
  if (!header.success || header.data.typ !== type) return { ok: false, reason: 'unsigned' }
  const { kid, jwk } = header.data
  if (jwk && thumbprintOf(jwk) !== kid) return { ok: false, reason: 'unknown_key' }
  const key = keyFor(kid, jwk && publicKeyOf(jwk))
  if (!key) return { ok: false, reason: 'unknown_key' }
  const signed = Buffer.from(`${jws.data.protected}.${jws.data.payload}`)
  const signature = Buffer.from(jws.data.signature, 'base64url')
  if (!verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)) return { ok: false, reason: 'bad_signature' }
  const payload = jsonOf(jws.data.payload)
  return payload === undefined ? { ok: false, reason: 'unreadable' } : { ok: true, payload, kid, jwk }
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    return undefined // told as unsigned or unreadable
  }
}
