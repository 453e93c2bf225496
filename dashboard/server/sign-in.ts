import express, { type RequestHandler, type Response, type Router } from 'express'
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import type { SessionShown } from '../../schemas/dashboard.ts'
import { errorCodes, type WireError, wireError } from '../../schemas/errors.ts'
import { askerRoles } from '../../schemas/operation.ts'
import { createAttempts } from './attempts.ts'
import type { ControllerApi } from './controller-api.ts'
import type { Session, Sessions } from './sessions.ts'
import type { Tickets } from './tickets.ts'

export interface SignInDeps {
  fleet: string
  version: string
  /** Where devices find the broker. */
  brokerUrl: () => string
  sessions: Sessions
  tickets: Tickets
  api: ControllerApi
  clock: Clock
  /** A session was signed out. */
  ended: (session: Session) => void
}

const Body = z.strictObject({ token: z.string().trim().min(1, 'is missing').max(8192, 'is longer than any token') })

/** Signing in with a token, out again, and tickets for the websocket: `/dashboard/session` and `/dashboard/ticket`. */
export const signInRouter = (deps: SignInDeps): Router => {
  const { sessions, clock } = deps
  const attempts = createAttempts(clock)
  const router = express.Router()

  const shown = (session: Session): SessionShown => ({
    subject: session.subject,
    role: session.role,
    fleet: deps.fleet,
    version: deps.version,
    broker_url: deps.brokerUrl(),
    expires_at: new Date(session.expiresAt).toISOString(),
  })

  const signIn: RequestHandler = async (request, response) => {
    const address = request.socket.remoteAddress ?? ''
    const waitSeconds = attempts.waitSeconds(address)
    if (waitSeconds > 0) {
      response.set('retry-after', String(waitSeconds))
      return sendError(response, wireError('too_many', `Too many tokens that do not hold: try again in ${waitSeconds} seconds`))
    }
    const body = Body.safeParse(request.body)
    if (!body.success)
      return sendError(response, tokenFault('invalid', `The token ${body.error.issues[0]?.message ?? 'is missing'}`))
    const { token } = body.data
    const outcome = await deps.api.ask(token, 'token.self', {})
    if (!outcome.ok) {
      const { code, message } = outcome.error
      if (code === 'unavailable') return sendError(response, outcome.error)
      attempts.failed(address)
      if (code === 'forbidden')
        return sendError(response, tokenFault('forbidden', 'This token is a device’s or for joining: it is not for people'))
      return sendError(response, tokenFault('unauthorized', message))
    }
    attempts.succeeded(address)
    const role = askerRoles.find((one) => one === outcome.output.role)
    if (!role) return sendError(response, tokenFault('forbidden', `A token of role ${outcome.output.role} is not for people`))
    const who = { subject: outcome.output.subject, role, expiresAt: Date.parse(outcome.output.expires_at) }
    const { session, sealed } = await sessions.begin(token, who)
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

const tokenFault = (code: 'invalid' | 'unauthorized' | 'forbidden', message: string): WireError =>
  wireError(code, message, [{ field: 'token', code, message }])
