import type { Client } from 'aedes'
import type { Clock, Timer } from '../base/clock.ts'
import type { TokenClaims } from '../schemas/token.ts'
import type { Guard } from './guard.ts'
import type { Permissions } from './permissions.ts'

/** What the broker remembers of a connection, from its first byte on; who it is, once it has logged in. */
export interface Session {
  guard: Guard
  /** The client id as the CONNECT had it: Aedes makes one up for an empty one. */
  clientId?: string
  will?: { topic: string; retain: boolean }
  user?: { claims: TokenClaims; permissions: Permissions }
}

/** The sessions by connection. One that is gone leaves by itself. */
export const createSessions = () => {
  const sessions = new WeakMap<Client, Session>()
  return {
    open: (client: Client, guard: Guard): void => {
      sessions.set(client, { guard })
    },
    of: (client: Client | null): Session | undefined => (client === null ? undefined : sessions.get(client)),
  }
}
export type Sessions = ReturnType<typeof createSessions>

/** Calls when `at`, on the wall clock, has come: not before, however far away it is or the clock jumps back. */
export const atInstant = (clock: Clock, at: number, call: () => void): Timer => {
  let timer = clock.after(Math.max(0, at - clock.now()), check)
  function check(): void {
    const left = at - clock.now()
    if (left <= 0) call()
    // A timer of the system ends after 24 days at the latest.
    else timer = clock.after(left, check)
  }
  return { cancel: () => timer.cancel() }
}
