import { randomBytes } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import type { Session } from './sessions.ts'

const holdsMs = 30_000
const most = 10_000

/** One-time tickets for the websocket: a browser can give it no header, and a token in an address ends up in logs. */
export const createTickets = (clock: Clock) => {
  const open = new Map<string, { session: Session; until: number }>()
  return {
    issue: (session: Session): string => {
      for (const [ticket, { until }] of open) {
        if (until > clock.mono() && open.size < most) break // the oldest come first
        open.delete(ticket)
      }
      const ticket = randomBytes(24).toString('base64url')
      open.set(ticket, { session, until: clock.mono() + holdsMs })
      return ticket
    },
    /** Whose ticket it is; it is good for nothing afterwards. */
    take: (ticket: string): Session | undefined => {
      const found = open.get(ticket)
      open.delete(ticket)
      return found && found.until > clock.mono() ? found.session : undefined
    },
  }
}
export type Tickets = ReturnType<typeof createTickets>
