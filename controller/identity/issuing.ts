import { createHash } from 'node:crypto'
import type { Chance } from '../../base/chance.ts'
import type { Clock } from '../../base/clock.ts'
import type { Role } from '../../schemas/topics.ts'
import type { Store } from '../store/store.ts'
import type { TokenRow } from '../store/tokens.ts'
import type { CommandKeys } from './command-keys.ts'
import type { TokenKeys } from './token-keys.ts'
import { issueToken } from './tokens.ts'

/** How long a token holds if nobody says otherwise, in seconds. */
export const usualTtlSeconds: Record<Exclude<Role, 'controller'>, number> = {
  admin: 90 * 24 * 3600,
  operator: 90 * 24 * 3600,
  viewer: 90 * 24 * 3600,
  device: 400 * 24 * 3600,
  join: 24 * 3600,
}

export interface IssuingDeps {
  fleet: string
  store: Store
  tokenKeys: TokenKeys
  commandKeys: CommandKeys
  clock: Clock
  chance: Chance
  /** SHA-256 of the certificate that the broker shows, if it has one of its own. */
  certificate: () => string | undefined
}

export interface Wish {
  subject: string
  role: Exclude<Role, 'controller'>
  ttlSeconds?: number | undefined
  uses?: number | undefined
}

export interface Issued {
  token: string
  row: TokenRow
}

/** Signs tokens; whoever asks for one enters its row in the list when that commits. */
export const createIssuing = (deps: IssuingDeps) => ({
  issue: async ({ subject, role, ttlSeconds = usualTtlSeconds[role], uses }: Wish): Promise<Issued> => {
    const now = deps.clock.now()
    const jti = deps.chance.ulid(now)
    const ctl = role === 'device' || role === 'join' ? deps.commandKeys.newest().kid : undefined
    const ca = role === 'join' ? deps.certificate() : undefined
    const key = deps.tokenKeys.newest()
    const token = await issueToken(key, { subject, role, fleet: deps.fleet, ttlSeconds, now, jti, ctl, ca })
    const expires_at = (Math.floor(now / 1000) + ttlSeconds) * 1000
    const hash = createHash('sha256').update(token).digest('hex')
    const row: TokenRow = {
      jti,
      subject,
      role,
      hash,
      created_at: now,
      expires_at,
      revoked_at: null,
      last_used_at: null,
      key: key.kid,
    }
    return { token, row: { ...row, uses: role === 'join' ? (uses ?? 1) : null } }
  },
})
export type Issuing = ReturnType<typeof createIssuing>
