import { z } from 'zod'
import { FleetName, Instant, Subject } from './ids.ts'
import { filterOf, permissionsOf, type Role, roles } from './topics.ts'

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
  /** Of a device's or a joining one's token: the thumbprint of the key that the controller signs commands with. */
  ctl: z.string().max(64).optional(),
  /** Of a join token: the SHA-256 of the certificate that the broker's chain must contain, in hex. */
  ca: z.string().max(64).optional(),
  acl: z.object({ pub: z.array(z.string()), sub: z.array(z.string()) }),
})
export type TokenClaims = z.infer<typeof TokenClaims>

/** A token as it is listed: never the token itself. */
export const ListedToken = z.looseObject({
  id: z.string(),
  name: Subject,
  role: z.string(),
  state: z.enum(['valid', 'expired', 'revoked']),
  created_at: Instant,
  expires_at: Instant,
  revoked_at: Instant.nullable(),
  last_used_at: Instant.nullable(),
  /** The key that it is signed with. */
  key: z.string().optional(),
  /** Of a join token: how many devices it lets in, and how many it has let in. */
  uses: z.number().int().optional(),
  used: z.number().int().optional(),
})
export type ListedToken = z.infer<typeof ListedToken>

/**
 * The `acl` claim of a role and subject, from the table of topics; without the topics for probes, of which only our own broker knows: a
 * token has to fit in a line of 1,024 bytes, which is what the Mosquitto clients take from their option files.
 */
export const aclOf = (fleet: string, role: Role, subject: string): TokenClaims['acl'] => {
  const { publish, subscribe } = permissionsOf(fleet, role, subject)
  const probe = filterOf(fleet, 'probe', { client: subject })
  const claimed = (filters: readonly string[]): string[] => filters.filter((one) => one !== probe)
  return { pub: claimed(publish), sub: claimed(subscribe) }
}

/** The signature that every token has; any other is refused, `none` first of all. */
export const tokenAlgorithm = 'ES256'
