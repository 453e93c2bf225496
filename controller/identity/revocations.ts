import type { Clock } from '../../base/clock.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Log } from '../../base/log.ts'
import { instant } from '../../schemas/ids.ts'
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

/** Tells brokers which tokens hold no more, and under which keys the others do: a retained list, signed with the key that they all know. */
export const createRevocations = ({ fleet, store, keys, effects, commits, clock, log }: RevocationsDeps) => {
  /** Inside a transaction: the list goes out after its commit. */
  const tell = (): void => {
    const now = clock.now()
    // Of a key that was forgotten no token is believed any more, so none has to be named.
    const revoked = store.tokens.revoked(now).filter((one) => keys.publicKey(one.key) !== undefined)
    const list = { fleet, at: instant(now), revoked: revoked.map((one) => one.jti), keys: keys.jwks() }
    const jws = keys.oldest().sign('skein-revoked', JSON.stringify(list))
    effects.message(topicOf(fleet, 'controllerRevoked', {}), JSON.stringify(jws), true)
  }
  return {
    tell,
    /** By itself: brokers may have forgotten the list, or have to be told later than the rest. */
    tellSoon: (): void => {
      commits.run(tell).catch((error: unknown) => log.error({ err: error }, 'the list of revoked tokens could not be told'))
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
