import type { Clock } from '../base/clock.ts'
import type { TokenUse } from './identity/token-use.ts'
import type { Store } from './store/store.ts'

/** Who would be cut off if a key of tokens were forgotten. */
export interface TokenHolders {
  /** A device says which token it has: from now on it has no other. Gives the thumbprint of its key, if the token is on the list. */
  said(device: string, jti: string): string | undefined
  /** Names, in order. */
  of(kid: string): string[]
}

/**
 * A device has one token at a time, and says which; one that has gone over to another key needs the old one no more. People and
 * programs may have copies of theirs anywhere: each token that holds counts.
 */
export const createTokenHolders = ({ store, use, clock }: { store: Store; use: TokenUse; clock: Clock }): TokenHolders => {
  /** The key of the token in use, by device, as far as it was said since the start. */
  const inUse = new Map<string, string>()
  const hasMoved = (device: string, kid: string): boolean => {
    const said = inUse.get(device)
    if (said !== undefined) return said !== kid
    return store.tokens.live(device).some((row) => row.key !== kid && use.last(row.jti, row.last_used_at) !== null)
  }
  return {
    said: (device, jti) => {
      const row = store.tokens.get(jti)
      if (!row || row.subject !== device) return undefined
      use.note(jti)
      inUse.set(device, row.key)
      return row.key
    },
    of: (kid) =>
      store.tokens
        .holdersOf(kid, clock.now())
        .filter(({ subject, role }) => role !== 'device' || !hasMoved(subject, kid))
        .map(({ subject }) => subject),
  }
}
