import express, { type RequestHandler } from 'express'
import type { Bus } from '../../base/bus.ts'
import type { Clock } from '../../base/clock.ts'
import type { Upgrade } from '../../base/http-doors.ts'
import type { Log } from '../../base/log.ts'
import { refused, wireError } from '../../schemas/errors.ts'
import { type ControllerApi, createControllerApi } from './controller-api.ts'
import { downloadRouter } from './downloads.ts'
import { createLiveTopics } from './feeds/live-topics.ts'
import { createGuard } from './guard.ts'
import { secured } from './headers.ts'
import { servePages } from './pages.ts'
import type { AskedDeps } from './picture/asked.ts'
import { createPicture } from './picture/picture.ts'
import { openSessions, type Session } from './sessions.ts'
import { sendError, sessionIn, signInRouter } from './sign-in.ts'
import { createSockets } from './sockets/sockets.ts'
import { createTickets } from './tickets.ts'

export interface DashboardOptions {
  fleet: string
  version: string
  /** Where the controller has its REST. */
  api: () => string
  ca?: string | undefined
  /** Where devices find the broker. */
  brokerUrl: () => string
  /** The dashboard's own token, of a viewer: with it the picture that all see is made. */
  token: () => string
  bus: Bus
  /** Names under which browsers reach it. */
  hosts: readonly string[]
  files: { sessionKey: string; endedSessions: string; pages: string }
  clock: Clock
  log: Log
}

export interface Dashboard {
  /** Stands in front of everything else at its door: what is not for the pages goes on to `next`. */
  front: RequestHandler
  upgrade: Upgrade
  close(): void
}

/** From the question for one to the opened websocket. */
const ticketHoldsMs = 30_000

/** The dashboard: pages, sessions, and websockets on the topics that everybody has. What people do there the controller decides, by their own tokens. */
export const startDashboard = (options: DashboardOptions): Dashboard => {
  const { fleet, version, bus, clock, log, files } = options
  const guard = createGuard(options.hosts)
  const api = createControllerApi(options.api, options.ca)
  const sessions = openSessions({ key: files.sessionKey, ended: files.endedSessions }, clock)
  const tickets = createTickets<Session>(clock, ticketHoldsMs)
  // A device that does not answer holds its question up for seconds: that must not hold up who signs in, or what all see.
  const logApi = createControllerApi(options.api, options.ca)
  const picture = createPicture({ fleet, bus, clock, log, ask: askingAs(options.token, api) })
  const sockets = createSockets({
    ...{ fleet, version, guard, tickets, sessions, picture, api, logApi, clock, log },
    topics: createLiveTopics(bus, log),
  })

  const front = express.Router({ caseSensitive: true })
  front.use(secured, (request, response, next) => {
    const refusal = guard.refusalOf(request)
    if (refusal) sendError(response, refusal.error, refusal.status)
    else next()
  })
  // A token that is shown wins over a session.
  front.use(['/api', '/dashboard'], async (request, response, next) => {
    if (request.headers.authorization !== undefined) return next()
    const session = await sessions.of(request.headers.cookie)
    if (!session) return next()
    if (isForeign(request.headers['sec-fetch-site'])) return sendError(response, foreign)
    response.locals['session'] = session
    next()
  })
  front.use('/api', (request, response, next) => {
    const session = sessionIn(response)
    if (session) request.headers.authorization = `Bearer ${session.token}`
    // The cookie is between the browser and this door.
    delete request.headers.cookie
    next()
  })
  front.use(
    '/dashboard',
    signInRouter({ ...{ fleet, version, sessions, tickets, api, clock }, brokerUrl: options.brokerUrl, ended: sockets.ended }),
    downloadRouter(logApi, clock),
  )
  front.use(servePages(files.pages))

  return {
    front,
    upgrade: sockets.upgrade,
    close: () => {
      sockets.close()
      picture.close()
      api.close()
      logApi.close()
    },
  }
}

/** Asks with a token that is read each time, because it may be another. A file that cannot be read is a refusal like any other. */
const askingAs =
  (token: () => string, api: ControllerApi): AskedDeps['ask'] =>
  async (name, input) => {
    try {
      return await api.ask(token(), name, input)
    } catch (error) {
      return refused('unavailable', `The dashboard has no token: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

/** Browsers say where a request comes from. Somebody who typed the address says `none`, and older ones say nothing. */
const isForeign = (site: unknown): boolean => site === 'cross-site' || site === 'same-site'
const foreign = wireError('forbidden', 'Pages from elsewhere may not ask here')
