import type { TokenKeys } from './identity/token-keys.ts'
import { readToken } from './identity/tokens.ts'
import type { Store } from './store/store.ts'

/** Who a bearer token belongs to: it must be signed by this fleet, in time, and on the controller's list. */
export const bearerOf =
  (store: Store, keys: TokenKeys, fleet: string) =>
  async (token: string): Promise<{ subject: string; role: string } | { reason: string }> => {
    const read = await readToken(keys, token, { fleet, now: Date.now() })
    if (!read.ok) return { reason: read.reason }
    const known = store.tokens.get(read.claims.jti)
    if (!known || known.revoked_at !== null) return { reason: 'the token is not on the list of this controller, or was revoked' }
    return { subject: known.subject, role: known.role }
  }
