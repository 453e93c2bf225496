import { randomBytes } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'

const most = 10_000

/**
 * Tickets that are good once, and not for long: for the websocket, which a browser can give no header, and for a link that signs somebody
 * in. A token in an address would end up in logs.
 */
export const createTickets = <T>(clock: Clock, holdsMs: number) => {
  const open = new Map<string, { what: T; until: number }>()
  return {
    issue: (what: T): string => {
      for (const [ticket, { until }] of open) {
        if (until > clock.mono() && open.size < most) break // the oldest come first
        open.delete(ticket)
      }
      const ticket = randomBytes(24).toString('base64url')
      open.set(ticket, { what, until: clock.mono() + holdsMs })
      return ticket
    },
    /** What it is for; it is good for nothing afterwards. */
    take: (ticket: string): T | undefined => {
      const found = open.get(ticket)
      open.delete(ticket)
      return found && found.until > clock.mono() ? found.what : undefined
    },
  }
}
export type Tickets<T> = ReturnType<typeof createTickets<T>>
