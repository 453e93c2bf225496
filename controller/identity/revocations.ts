import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import { readJws } from '../../base/jws.ts'
import type { Log } from '../../base/log.ts'
import { FleetName, Instant, instant } from '../../schemas/ids.ts'
import { topicOf } from '../../schemas/topics.ts'
import type { Effects } from '../effects.ts'
import type { Store } from '../store/store.ts'
import type { TokenKeys } from './token-keys.ts'

export interface RevocationsDeps {
  fleet: string
  store: Store
  keys: TokenKeys
  effects: Effects
  commits: GroupCommit
  clock: Clock
  log: Log
}

/** Where the store has the moment of the last list, in milliseconds since 1970. */
const toldKey = 'revoked_told_at'

const Told = z.looseObject({ fleet: FleetName, at: Instant })

/** Tells brokers which tokens hold no more, and under which keys the others do: a retained list, signed with the key that they all know. */
export const createRevocations = ({ fleet, store, keys, effects, commits, clock, log }: RevocationsDeps) => {
  const lastAt = (): number => Number(store.meta.get(toldKey) ?? Number.NEGATIVE_INFINITY)
  /** Inside a transaction: the list goes out after its commit. */
  const tell = (): void => {
    const now = clock.now()
    // Brokers take only what is newer than they have, and the clock may have gone back.
    const at = Math.max(now, lastAt() + 1)
    store.meta.set(toldKey, String(at))
    // Of a key that was forgotten no token is believed any more, so none has to be named.
    const revoked = store.tokens.revoked(now).filter((one) => keys.publicKey(one.key) !== undefined)
    const list = { fleet, at: instant(at), revoked: revoked.map((one) => one.jti), keys: keys.jwks() }
    const jws = keys.oldest().sign('skein-revoked', JSON.stringify(list))
    effects.message(topicOf(fleet, 'controllerRevoked', {}), JSON.stringify(jws), true)
  }
  const inOne = (work: () => void): void => {
    commits.run(work).catch((error: unknown) => log.error({ err: error }, 'the list of revoked tokens could not be told'))
  }
  return {
    tell,
    /** By itself: brokers may have forgotten the list, or have to be told later than the rest. */
    tellSoon: (): void => inOne(tell),
    /** What a broker has kept of us: if it is newer than all that we know to have told, our database was restored, and the next list goes above it. */
    seen: (list: unknown): void => {
      const read = readJws(list, 'skein-revoked', keys.publicKey)
      const told = read.ok ? Told.safeParse(read.payload) : undefined
      if (!told?.success || told.data.fleet !== fleet) return
      const at = Date.parse(told.data.at)
      if (at <= lastAt()) return
      log.warn(
        { seen: told.data.at },
        'a broker has a newer list of revoked tokens than was told from here: the next one goes above it',
      )
      inOne(() => {
        store.meta.set(toldKey, String(Math.max(at, lastAt())))
        tell()
      })
    },
    /** Revokes all tokens of a key that was forgotten, inside a transaction; brokers are told that it holds no more. */
    revokeKey: (kid: string): void => store.tokens.revokeKey(kid, clock.now()),
    /** Revokes tokens, inside a transaction. */
    revoke: (ids: readonly string[]): void => {
      for (const jti of ids) store.tokens.revoke(jti, clock.now())
      if (ids.length > 0) tell()
    },
  }
}
export type Revocations = ReturnType<typeof createRevocations>
