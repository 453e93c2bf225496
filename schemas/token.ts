import { z } from 'zod'
import { FleetName, Subject } from './ids.ts'
import { permissionsOf, type Role, roles } from './topics.ts'

/**
 * What a token says. Our own parts go by subject and role; `acl` tells the same to a broker apart, in the format that EMQX reads.
 */
export const TokenClaims = z.looseObject({
  sub: Subject,
  role: z.enum(roles),
  fleet: FleetName,
  /** Seconds since 1970, like `exp`. */
  iat: z.number().optional(),
  exp: z.number(),
  jti: z.string().min(1).max(128),
  acl: z.object({ pub: z.array(z.string()), sub: z.array(z.string()) }),
})
export type TokenClaims = z.infer<typeof TokenClaims>

/** The `acl` claim of a role and subject, from the table of topics. */
export const aclOf = (fleet: string, role: Role, subject: string): TokenClaims['acl'] => {
  const { publish, subscribe } = permissionsOf(fleet, role, subject)
  return { pub: publish, sub: subscribe }
}

/** The signature that every token has; any other is refused, `none` first of all. */
export const tokenAlgorithm = 'ES256'
