import type { KeyObject } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import { TokenClaims, tokenAlgorithm } from '../schemas/token.ts'

export type TokenReading =
  | { ok: true; claims: TokenClaims; kid: string }
  /** `expired` is what a token says whose time has passed, and that is right in all else. */
  | { ok: false; reason: string; expired?: TokenClaims; kid?: string }

/** The public key of a thumbprint, if it is one that tokens of the fleet are believed under. */
export type KeyFor = (kid: string) => KeyObject | undefined

/**
 * Reads a token with the fleet's public keys. Broker and HTTP door share it, so that both believe the same tokens. Whether a
 * token was revoked is for the controller's list to say.
 */
export const readTokenWith = async (
  keyFor: KeyFor,
  jwt: string,
  expected: { fleet: string; now: number },
): Promise<TokenReading> => {
  let kid = ''
  const named = (header: { kid?: string | undefined }): KeyObject => {
    const key = header.kid === undefined ? undefined : keyFor(header.kid)
    if (header.kid === undefined || !key) throw new errors.JWSSignatureVerificationFailed()
    kid = header.kid
    return key
  }
  try {
    // The one algorithm is named here, so that a token cannot choose `none`, or HS256 with the public key as its secret.
    const { payload } = await jwtVerify(jwt, named, {
      algorithms: [tokenAlgorithm],
      currentDate: new Date(expected.now),
      requiredClaims: ['exp'],
    })
    return claimsOf(payload, expected.fleet, kid)
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    const reason = reasonOf(error)
    if (!(error instanceof errors.JWTExpired)) return { ok: false, reason }
    const read = claimsOf(error.payload, expected.fleet, kid) // its signature was found right before its time was looked at
    return read.ok ? { ok: false, reason, expired: read.claims, kid } : read
  }
}

const claimsOf = (payload: unknown, fleet: string, kid: string): TokenReading => {
  const claims = TokenClaims.safeParse(payload)
  if (!claims.success) return { ok: false, reason: `the token lacks what ours have: ${fieldsOf(claims.error.issues)}` }
  if (claims.data.fleet !== fleet)
    return { ok: false, reason: `the token is for fleet "${claims.data.fleet}", this is "${fleet}"` }
  return { ok: true, claims: claims.data, kid }
}

const fieldsOf = (issues: readonly { path: readonly PropertyKey[] }[]): string =>
  [...new Set(issues.map((issue) => String(issue.path[0] ?? 'claims')))].join(', ')

const reasonOf = (error: errors.JOSEError): string => {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JOSEAlgNotAllowed) return `the token is not signed with ${tokenAlgorithm}`
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the token was not signed by this fleet, or was changed'
  if (error instanceof errors.JWTClaimValidationFailed) return `the token's "${error.claim}" does not hold`
  return 'this is not a token'
}
