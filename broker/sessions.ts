import type { Limits } from './limits.ts'
import { createSession, type Session } from './session.ts'
import type { TokenMark } from './token-trust.ts'

/** The sessions by client id: those of clients that are here, and those kept for clients that are away. */
export interface Sessions {
  /** The session for a CONNECT, and whether it was there before [MQTT-3.1.2-4] [MQTT-3.1.2-6]. */
  open(clientId: string, clean: boolean): { session: Session; isPresent: boolean }
  of(clientId: string): Session | undefined
  /** Its client has gone: a clean one ends, another is kept. */
  leave(session: Session): void
  /** Ends those that were opened with a revoked token: what waits in them is for nobody. */
  endRevoked(isRevoked: (token: TokenMark | undefined) => boolean): void
  /** Ends what has been kept too long, and what is too much. */
  sweep(): void
  /** How many are kept for clients that are away. */
  awayCount(): number
}

export const createSessions = (deps: {
  limits: Limits
  mono: () => number
  onDrop: (session: Session) => void
  onEnd: (session: Session, why: 'clean' | 'expired' | 'no_room' | 'revoked') => void
}): Sessions => {
  const { limits, mono, onDrop, onEnd } = deps
  const sessions = new Map<string, Session>()
  const awaySince = new Map<Session, number>() // the one that is away longest first

  const end = (session: Session, why: 'clean' | 'expired' | 'no_room' | 'revoked'): void => {
    if (sessions.get(session.clientId) === session) sessions.delete(session.clientId)
    awaySince.delete(session)
    onEnd(session, why)
  }

  return {
    open: (clientId, clean) => {
      const before = sessions.get(clientId)
      if (before && !clean && before.isKept) {
        awaySince.delete(before)
        return { session: before, isPresent: true }
      }
      if (before) end(before, 'clean')
      const session = createSession(clientId, !clean, limits, onDrop)
      sessions.set(clientId, session)
      return { session, isPresent: false }
    },
    of: (clientId) => sessions.get(clientId),
    leave: (session) => {
      session.detach()
      if (sessions.get(session.clientId) !== session) return
      if (!session.isKept) return end(session, 'clean')
      awaySince.set(session, mono())
      for (const longest of awaySince.keys()) {
        if (awaySince.size <= limits.keptSessions) break
        end(longest, 'no_room')
      }
    },
    endRevoked: (isRevoked) => {
      for (const session of [...sessions.values()]) if (isRevoked(session.token)) end(session, 'revoked')
    },
    sweep: () => {
      const now = mono()
      let bytes = 0
      for (const session of awaySince.keys()) bytes += session.keptBytes()
      for (const [session, since] of awaySince) {
        const isExpired = now - since > limits.keptSessionMs
        if (!isExpired && bytes <= limits.keptSessionsBytes) return
        bytes -= session.keptBytes()
        end(session, isExpired ? 'expired' : 'no_room')
      }
    },
    awayCount: () => awaySince.size,
  }
}
