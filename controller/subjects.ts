import type { Tokens } from './store/tokens.ts'

/** Subjects are unique in a fleet: by them it is known who asked for what. The controller's own is on no list. */
export const isReserved = (subject: string): boolean => subject === 'controller'

/** Whether somebody who is no device goes by a subject: one has a token of it that holds. */
export const isPersons = (tokens: Pick<Tokens, 'live'>, subject: string, now: number): boolean =>
  tokens.live(subject).some((row) => row.role !== 'device' && row.expires_at > now)
