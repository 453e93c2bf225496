import type { KeyObject } from 'node:crypto'
import { publicKeyOf, thumbprintOf } from '../base/p256.ts'
import type { PublicJwk } from '../schemas/keys.ts'
import type { Journal } from './journal.ts'

/** Thumbprints of controller keys that came another way than by a welcome, and what named them, such as the token of this id. */
export interface Pins {
  by: string
  kids: readonly string[]
}

/** What a device believes: its controller's keys, and no command twice. */
export interface Trust {
  /** Thumbprints of the keys that are believed now. */
  kids(): string[]
  /** What names the pinned keys now. */
  pinnedBy(): string
  keyFor(kid: string, carried: KeyObject | undefined): KeyObject | undefined
  /** Keys that a welcome has named: they are believed from now on, and by the journal from its commit on. */
  learn(jwks: readonly PublicJwk[]): void
  /** The token or what a welcome has named may have changed. */
  refresh(): void
  /** Whether a command came before; from now on it has. Both instants are the controller's. */
  wasSeen(id: string, expiresAt: number, now: number): boolean
}

/**
 * Believes the keys that the last welcome named; and the one that came with the token, as who hands out the token is trusted anyway, until a
 * welcome has been heard with that token: a key that it does not name was forgotten, maybe because it was stolen.
 * Of these a thumbprint is known; the key itself comes with a welcome.
 */
export const createTrust = (journal: Journal, pins: () => Pins): Trust => {
  const keys = new Map<string, KeyObject>()
  const seen = new Map<string, number>()
  let believed: ReadonlySet<string> | undefined
  const current = (): ReadonlySet<string> => {
    if (believed) return believed
    const welcomed = journal.controllerKeys()
    const pinned = pins()
    believed = new Set(welcomed.by === pinned.by ? welcomed.kids : [...welcomed.kids, ...pinned.kids])
    return believed
  }
  return {
    kids: () => [...current()],
    pinnedBy: () => pins().by,
    keyFor: (kid, carried) => {
      if (!current().has(kid)) return undefined
      if (carried) keys.set(kid, carried)
      return keys.get(kid)
    },
    learn: (jwks) => {
      for (const jwk of jwks) {
        const key = publicKeyOf(jwk)
        if (key) keys.set(thumbprintOf(jwk), key)
      }
      believed = new Set([...current(), ...keys.keys()])
    },
    refresh: () => {
      believed = undefined
    },
    wasSeen: (id, expiresAt, now) => {
      if (seen.has(id)) return true
      seen.set(id, expiresAt)
      // In order of arrival, so nearly of expiry: what has expired is refused for that.
      for (const [old, end] of seen) {
        if (end >= now) break
        seen.delete(old)
      }
      return false
    },
  }
}
