import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { publicKeyOf } from '../base/p256.ts'
import { seal } from '../base/sealing.ts'
import { version } from '../base/version.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { instant } from '../schemas/ids.ts'
import type { ListedToken as TokenView } from '../schemas/token.ts'
import type { Asker } from './asking.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { GiveUp } from './giving-up.ts'
import type { Handlers } from './handlers.ts'
import type { Issuing } from './identity/issuing.ts'
import type { Revocations } from './identity/revocations.ts'
import type { TokenUse } from './identity/token-use.ts'
import { badCursor, pageOf, readCursor } from './paging.ts'
import type { Store } from './store/store.ts'
import type { ListedToken, TokenRow } from './store/tokens.ts'
import { isReserved } from './subjects.ts'

export interface TokenOperationsDeps {
  fleetName: string
  store: Store
  fleet: Fleet
  giveUp: GiveUp
  commits: GroupCommit
  effects: Effects
  issuing: Issuing
  revocations: Revocations
  use: TokenUse
  clock: Clock
  chance: Chance
}

/** Making, showing, listing and revoking tokens. A token is shown once, when it is made; the list knows its hash only. */
export const tokenOperations = (deps: TokenOperationsDeps) => {
  const { store, commits, effects, clock } = deps

  const audited = (asker: Asker, type: string, row: TokenRow): void =>
    effects.event('audit', type, asker.subject, { subject: asker.subject, name: row.subject, role: row.role, token: row.jti })

  const takenBy = (subject: string, role: string): string | undefined => {
    const held = store.tokens.ofSubject(subject)
    if (held && held.expires_at > clock.now())
      return `there is a token for "${subject}" already; revoke it first, or choose another name`
    const device = store.devices.get(subject)
    if (role !== 'device' && device && !device.removed) return `"${subject}" is a device`
    return isReserved(subject) ? '"controller" is kept for the controller' : undefined
  }

  return {
    'token.create': async (asker, input): Promise<Outcome<unknown>> => {
      const { role, seal_to } = input
      if (input.uses !== undefined && role !== 'join')
        return refused('invalid', 'uses: only a join token has them', [
          { field: 'uses', code: 'not_for_role', message: 'only a join token has them' },
        ])
      if (input.name === undefined && role !== 'join')
        return refused('invalid', 'name: is missing', [
          { field: 'name', code: 'missing', message: 'is needed for every role but join' },
        ])
      const to = seal_to && publicKeyOf(seal_to)
      if (seal_to && !to)
        return refused('invalid', 'seal_to: is no key', [{ field: 'seal_to', code: 'invalid', message: 'is no P-256 key' }])
      const subject = input.name ?? `join-${deps.chance.ulid(clock.now()).slice(-10)}`
      const { token, row } = await deps.issuing.issue({ subject, role, ttlSeconds: input.ttl_seconds, uses: input.uses })
      const sealed = to && (await seal(token, to))
      return commits.run((): Outcome<unknown> => {
        const taken = takenBy(subject, role)
        if (taken !== undefined) return refused('conflict', taken, [{ field: 'name', code: 'taken', message: taken }])
        store.tokens.put(row)
        audited(asker, 'skein.audit.token_created', row)
        return accepted({ ...viewOf({ ...row, used: 0 }, clock.now()), ...(sealed === undefined ? { token } : { sealed }) })
      })
    },

    'token.self': ({ subject }) => {
      // The one by which it was decided that the asker may ask.
      const held = store.tokens.ofSubject(subject)
      return held
        ? accepted({ subject, role: held.role, fleet: deps.fleetName, expires_at: instant(held.expires_at), version })
        : refused('forbidden', `"${subject}" has no token here that holds`)
    },

    'token.list': (_, input) => {
      const start = input.cursor === undefined ? 0 : readCursor(input.cursor)
      if (start === null) return badCursor
      const now = clock.now()
      const rows = store.tokens.list(input.limit + 1, start).map((row, index) => ({ row, at: start + index + 1 }))
      const { shown, cursor } = pageOf(
        rows,
        input.limit,
        ({ row }) => viewOf({ ...row, last_used_at: deps.use.last(row.jti, row.last_used_at) }, now),
        ({ at }) => at,
      )
      return accepted({ tokens: shown, cursor })
    },

    'token.revoke': (asker, input) => {
      let wasConnected: boolean | undefined // as the work began that may be done twice
      return commits.run((): Outcome<unknown> => {
        const byId = store.tokens.get(input.token)
        const rows = byId ? [byId] : store.tokens.live(input.token)
        const [first] = rows
        if (!first)
          return refused('not_found', `there is no token with the id or the name "${input.token}"`, [
            { field: 'token', code: 'not_found', message: 'names no token that holds' },
          ])
        const live = rows.filter((row) => row.revoked_at === null)
        deps.revocations.revoke(live.map((row) => row.jti))
        for (const row of live) audited(asker, 'skein.audit.token_revoked', row)
        // The broker carries out no will of a revoked token: a device that has no other cannot tell that it has gone.
        const device = deps.fleet.devices.get(first.subject)
        wasConnected ??= device?.isConnected
        if (device && wasConnected && store.tokens.live(first.subject).length === 0) deps.giveUp(device, 'its token was revoked')
        const now = clock.now()
        return accepted({ revoked: rows.map((row) => viewOf({ ...row, revoked_at: row.revoked_at ?? now, used: 0 }, now)) })
      })
    },
  } satisfies Partial<Handlers>
}

const viewOf = (row: ListedToken, now: number): TokenView => ({
  id: row.jti,
  name: row.subject,
  role: row.role,
  state: row.revoked_at !== null ? 'revoked' : row.expires_at <= now ? 'expired' : 'valid',
  created_at: instant(row.created_at),
  expires_at: instant(row.expires_at),
  revoked_at: row.revoked_at === null ? null : instant(row.revoked_at),
  last_used_at: row.last_used_at === null ? null : instant(row.last_used_at),
  key: row.key,
  ...(row.role === 'join' ? { uses: row.uses ?? 1, used: row.used } : {}),
})
