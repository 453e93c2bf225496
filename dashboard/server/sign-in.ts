import express, { type RequestHandler, type Response, type Router } from 'express'
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { SessionShown } from '../../schemas/dashboard.ts'
import { accepted, errorCodes, type Outcome, type WireError, wireError } from '../../schemas/errors.ts'
import { createAttempts } from './attempts.ts'
import type { ControllerApi } from './controller-api.ts'
import { fault, personOf } from './person.ts'
import type { Session, Sessions } from './sessions.ts'
import { createTickets, type Tickets } from './tickets.ts'

export interface SignInDeps {
  fleet: string
  version: string
  /** Where devices find the broker. */
  brokerUrl: () => string
  sessions: Sessions
  tickets: Tickets<Session>
  api: ControllerApi
  clock: Clock
  /** A session was signed out. */
  ended: (session: Session) => void
}

const Token = z
  .string()
  .trim()
  .min(1, 'is missing')
  .max(8192, 'is longer than any token')
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/, 'is none: a token is three long words of letters and digits with dots between them')
const Body = z.union([z.strictObject({ code: z.string().max(200) }), z.strictObject({ token: Token })])

/** A link that signs somebody in is followed soon, or never. */
const invitationHoldsMs = 600_000

/**
 * Signing in and out, `/dashboard/session`; tickets for the websocket, `/dashboard/ticket`; and codes for a link that signs in its first
 * visitor as whoever asked for it, `/dashboard/invitation`.
 */
export const signInRouter = (deps: SignInDeps): Router => {
  const { sessions, clock } = deps
  const attempts = createAttempts(clock)
  const invitations = createTickets<string>(clock, invitationHoldsMs)
  const router = express.Router()

  const shown = (session: Session): SessionShown => ({
    subject: session.subject,
    role: session.role,
    fleet: deps.fleet,
    version: deps.version,
    broker_url: deps.brokerUrl(),
    expires_at: new Date(session.expiresAt).toISOString(),
  })

  /** The token that is shown, or that a code stands for. */
  const tokenFrom = (raw: unknown): Outcome<string> => {
    const body = Body.safeParse(raw)
    if (!body.success) {
      const { error } = Token.safeParse(Object(raw).token)
      return { ok: false, error: fault('token', 'invalid', `The token ${error?.issues[0]?.message ?? 'is missing'}`) }
    }
    if ('token' in body.data) return accepted(body.data.token)
    const token = invitations.take(body.data.code)
    if (token !== undefined) return accepted(token)
    return { ok: false, error: fault('code', 'unauthorized', 'This link has been used, or is too old: sign in with a token') }
  }

  const invite: RequestHandler = async (request, response) => {
    const shown = /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1] ?? sessionIn(response)?.token
    if (shown === undefined) return sendError(response, notSignedIn)
    const found = await personOf(deps.api, shown)
    if (!found.ok) return sendError(response, found.error)
    const expiresAt = new Date(clock.now() + invitationHoldsMs).toISOString()
    response.status(201).json({ code: invitations.issue(shown), subject: found.output.subject, expires_at: expiresAt })
  }

  const signIn: RequestHandler = async (request, response) => {
    const address = request.socket.remoteAddress ?? ''
    // Behind a proxy all have one address, so nobody who has a token that holds is kept out by those who have none.
    const refuse = (error: WireError): void => {
      const waitSeconds = attempts.waitSeconds(address)
      if (error.code === 'unavailable') return sendError(response, error)
      attempts.failed(address)
      if (waitSeconds === 0) return sendError(response, error)
      response.set('retry-after', String(waitSeconds))
      sendError(response, wireError('too_many', `Too many tokens that do not hold: try again in ${waitSeconds} seconds`))
    }
    const token = tokenFrom(request.body)
    if (!token.ok) return refuse(token.error)
    const found = await personOf(deps.api, token.output)
    if (!found.ok) return refuse(found.error)
    attempts.succeeded(address)
    const { session, sealed } = await sessions.begin(token.output, found.output)
    const isSecured = 'encrypted' in request.socket || request.get('x-forwarded-proto') === 'https'
    response
      .set('set-cookie', sessions.header(sealed, session.expiresAt - clock.now(), isSecured))
      .status(201)
      .json(shown(session))
  }

  router.use((_request, response, next) => {
    response.set('cache-control', 'no-store')
    next()
  })
  router.get('/session', (_request, response) => {
    const session = sessionIn(response)
    if (session) response.json(shown(session))
    else sendError(response, notSignedIn)
  })
  router.post('/session', express.json({ limit: '16kb', type: () => true }), signIn)
  router.delete('/session', (_request, response) => {
    const session = sessionIn(response)
    if (session) {
      sessions.end(session)
      deps.ended(session)
    }
    response
      .set('set-cookie', sessions.header(undefined, 0, false))
      .status(204)
      .end()
  })
  router.post('/invitation', invite)
  router.post('/ticket', (_request, response) => {
    const session = sessionIn(response)
    if (session) response.json({ ticket: deps.tickets.issue(session) })
    else sendError(response, notSignedIn)
  })
  return router
}

/** The session that a request came with, as the front door found it. */
export const sessionIn = (response: Response): Session | undefined => response.locals['session'] as Session | undefined // set there only

export const notSignedIn = wireError('unauthorized', 'Nobody is signed in, or the session has ended')

export const sendError = (response: Response, error: WireError, status = statusOf(error.code)): void => {
  response.status(status).json({ error })
}

const statusOf = (code: string): number => Object.entries(errorCodes).find(([name]) => name === code)?.[1].status ?? 500
