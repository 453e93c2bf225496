import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { SessionShown } from '../../../schemas/dashboard.ts'
import type { Outcome } from '../../../schemas/errors.ts'
import { send } from '../api/ask.ts'

/** Who is signed in, and what they may do. */
export interface Session extends SessionShown {
  /** Submit, cancel, start, stop, drain, approve. */
  mayAct: boolean
  /** Tokens, removing devices. */
  isAdmin: boolean
  signOut: () => Promise<Outcome<undefined>>
}

export const SessionContext = createContext<Session | null>(null)

/** Who is signed in. Only inside of the shell, where somebody is. */
export const useSession = (): Session => {
  const session = useContext(SessionContext)
  if (!session) throw new Error('Nobody is signed in here')
  return session
}

export const withRights = (shown: SessionShown, signOut: Session['signOut']): Session => ({
  ...shown,
  mayAct: shown.role !== 'viewer',
  isAdmin: shown.role === 'admin',
  signOut,
})

const path = '/dashboard/session'
export const findSession = (): Promise<Outcome<SessionShown>> => send<SessionShown>('GET', path)
/** By a token, or by the code of a link that was asked for with one. */
export const openSession = (by: { token: string } | { code: string }): Promise<Outcome<SessionShown>> =>
  send<SessionShown>('POST', path, by)
/** One that has ended already is as good as ended. */
export const endSession = async (): Promise<Outcome<undefined>> => {
  const outcome = await send<undefined>('DELETE', path)
  return !outcome.ok && outcome.error.code === 'unauthorized' ? { ok: true, output: undefined } : outcome
}
