import { type Clock, every } from '../../../base/clock.ts'
import type { ControllerApi } from '../controller-api.ts'
import type { Session, Sessions } from '../sessions.ts'

export interface CheckingDeps {
  api: ControllerApi
  sessions: Sessions
  clock: Clock
  /** Whose pages are open. */
  open: () => Iterable<Session>
  /** This session is over, and why. */
  over: (session: Session, reason: string) => void
}

/** A token that was revoked shows nothing for longer than this. */
const everyMs = 5000

/** Looks again and again whether sessions with open pages still hold. A controller that is away decides nothing. */
export const startChecking = ({ api, sessions, clock, open, over }: CheckingDeps): { cancel(): void } => {
  let isChecking = false

  const check = async (): Promise<void> => {
    const reasons = new Map<string, string | undefined>()
    const checked = [...open()]
    for (const { token } of checked) if (!reasons.has(token)) reasons.set(token, await refusalOf(api, token))
    for (const session of checked) {
      const reason = sessions.holds(session) ? reasons.get(session.token) : 'the session has ended'
      if (reason !== undefined) over(session, reason)
    }
  }

  return every(clock, everyMs, () => {
    if (isChecking) return
    isChecking = true
    void check().finally(() => {
      isChecking = false
    })
  })
}

const refusalOf = async (api: ControllerApi, token: string): Promise<string | undefined> => {
  const outcome = await api.ask(token, 'token.self', {})
  return !outcome.ok && (outcome.error.code === 'unauthorized' || outcome.error.code === 'forbidden')
    ? outcome.error.message
    : undefined
}
