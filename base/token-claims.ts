import type { z } from 'zod'
import { TokenClaims } from '../schemas/token.ts'

const Partly = TokenClaims.partial()

/** What a token says of itself, unproved: for its holder, who has it from somebody whom he trusts. */
export const claimsIn = (token: string): z.infer<typeof Partly> => {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return Partly.safeParse(claims).data ?? {}
  } catch {
    return {} // no token of ours, so it says nothing
  }
}
