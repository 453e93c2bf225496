import { z } from 'zod'

/** A public P-256 key as it travels [RFC 7517]. */
export const PublicJwk = z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: z.string().max(64), y: z.string().max(64) })
export type PublicJwk = z.infer<typeof PublicJwk>

/** What a fleet's keys are for. */
export const keyUses = ['commands', 'tokens'] as const
export type KeyUse = (typeof keyUses)[number]

/** A signed message: a flattened JWS [RFC 7515, 7.2.2]. Its payload is JSON. */
export const Jws = z.object({ protected: z.string(), payload: z.string(), signature: z.string() })
export type Jws = z.infer<typeof Jws>
