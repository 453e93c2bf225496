import type { KeyObject } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import { TokenClaims, tokenAlgorithm } from '../schemas/token.ts'

export type TokenReading = { ok: true; claims: TokenClaims } | { ok: false; reason: string }

/**
 * Reads a token with the fleet's public key. Broker and HTTP door share it, so that both believe the same tokens. Whether a
 * token was revoked is for the controller's list to say.
 */
export const readTokenWith = async (
  publicKey: KeyObject,
  jwt: string,
  expected: { fleet: string; now: number },
): Promise<TokenReading> => {
  try {
    // The one algorithm is named here, so that a token cannot choose `none`, or HS256 with the public key as its secret.
    const { payload } = await jwtVerify(jwt, publicKey, {
      algorithms: [tokenAlgorithm],
      currentDate: new Date(expected.now),
      requiredClaims: ['exp'],
    })
    const claims = TokenClaims.safeParse(payload)
    if (!claims.success) return { ok: false, reason: `the token lacks what ours have: ${fieldsOf(claims.error.issues)}` }
    if (claims.data.fleet !== expected.fleet)
      return { ok: false, reason: `the token is for fleet "${claims.data.fleet}", this is "${expected.fleet}"` }
    return { ok: true, claims: claims.data }
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    return { ok: false, reason: reasonOf(error) }
  }
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
