import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Guard } from '../guard.ts'
import type { Session, Sessions } from '../sessions.ts'
import type { Tickets } from '../tickets.ts'

export interface GateDeps {
  guard: Guard
  tickets: Tickets<Session>
  sessions: Sessions
  /** Whether there is room for one more. */
  hasRoom: () => boolean
}

/** Decides who may go on as a websocket: a page of ours, with a ticket. Whoever may not is told why by the status. */
export const createGate = ({ guard, tickets, sessions, hasRoom }: GateDeps) => {
  const verdictOn = (request: IncomingMessage): Session | number => {
    const refusal = guard.refusalOf(request)
    if (refusal) return refusal.status
    // No `new URL`: it throws for what any client may send, as `//` is.
    const [path, query] = (request.url ?? '/').split('?', 2)
    if (path !== '/dashboard/socket') return 404
    // A browser always says where it comes from; who does not is none, and has no business with tickets of one.
    if (request.headers.origin === undefined) return 403
    const session = tickets.take(new URLSearchParams(query).get('ticket') ?? '')
    if (!session || !sessions.holds(session)) return 401
    return hasRoom() ? session : 503
  }

  return {
    /** Whose connection it is; undefined for one that was refused, and is closed. */
    admit: (request: IncomingMessage, socket: Duplex): Session | undefined => {
      const verdict = verdictOn(request)
      if (typeof verdict === 'object') return verdict
      // A client that does not close its side would keep the connection.
      socket.once('finish', () => socket.destroy())
      socket.end(`HTTP/1.1 ${verdict} ${statusText[verdict] ?? 'Error'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      return undefined
    },
  }
}

const statusText: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  421: 'Misdirected Request',
  503: 'Service Unavailable',
}
