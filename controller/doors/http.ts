import { randomUUID } from 'node:crypto'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import type { Clock } from '../../base/clock.ts'
import { type HttpDoors, type HttpListen, openHttpDoors, type Upgrade } from '../../base/http-doors.ts'
import type { Log } from '../../base/log.ts'
import { wireError } from '../../schemas/errors.ts'
import type { AskerRole } from '../../schemas/operation.ts'
import type { Ask } from '../asking.ts'
import { apiRouter } from './http-api.ts'
import { serveMetrics } from './http-metrics.ts'
import { sendError } from './http-reply.ts'

export interface HttpDoorDeps {
  listen: HttpListen
  ask: Ask
  /** Who a bearer token belongs to, or why it does not hold. */
  authenticate: (token: string) => Promise<{ subject: string; role: AskerRole | string } | { reason: string }>
  /** Whether requests can be served, and what that was judged by. */
  isReady: () => { ready: boolean; checks: Record<string, unknown> }
  /** Metrics in Prometheus' format. */
  metrics: () => Promise<string>
  /** Whoever reaches this door may read the metrics, without a token. */
  metricsOpen: boolean
  log: Log
  clock: Clock
  version: string
  /** Stands in front of everything: the dashboard, where it shares this door. */
  front?: { handle: RequestHandler; upgrade: Upgrade } | undefined
}

/** Opens the door for HTTP, with TLS and without: REST below `/api/v1`, `/healthz`, `/readyz`, `/metrics`. Whatever begins with `/api/` is answered in JSON. */
export const startHttpDoor = (deps: HttpDoorDeps): Promise<HttpDoors> =>
  openHttpDoors(deps.listen, appOf(deps), { ...deps, upgrade: deps.front?.upgrade })

const appOf = (deps: HttpDoorDeps): Express => {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use((request, response, next) => {
    const given = request.get('x-request-id')
    response.set('x-request-id', given && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID())
    response.set('x-content-type-options', 'nosniff')
    next()
  })
  if (deps.front) app.use(deps.front.handle)
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }))
  app.get('/readyz', (_request, response) => {
    const { ready, checks } = deps.isReady()
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not_ready', checks })
  })
  app.get('/metrics', serveMetrics(deps))
  app.use('/api', apiRouter(deps))
  app.get('/', (_request, response) => void response.type('text').send(waysIn(deps.version)))
  app.use((request, response) => sendError(response, wireError('not_found', `There is nothing at ${request.path}`)))
  app.use(onFault(deps.log))
  return app
}

const waysIn = (version: string): string =>
  [
    `Skein ${version}`,
    '',
    'REST     /api/v1/tasks, /api/v1/devices, /api/v1/status   (authorization: Bearer <token>)',
    'health   /healthz, /readyz, /metrics',
    '',
  ].join('\n')

/** What went wrong before or beside an operation: a body that cannot be read, a path that cannot be decoded, a bug. */
const onFault =
  (log: Log): ErrorRequestHandler =>
  (error: unknown, request, response, _next) => {
    const { type, status } = Object(error) as { type?: unknown; status?: unknown } // body-parser and express mark their errors so
    if (response.headersSent) return void response.destroy()
    if (type === 'entity.too.large') return sendError(response, wireError('too_large', 'The body is larger than 128 KiB'))
    if (type === 'entity.parse.failed') {
      const why = error instanceof Error ? `: ${error.message}` : ''
      return sendError(response, wireError('invalid', `The body is not JSON${why}`))
    }
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return sendError(response, wireError('invalid', error instanceof Error ? error.message : 'The request cannot be read'))
    }
    log.error({ err: error, method: request.method, path: request.path }, 'a request failed')
    sendError(response, wireError('internal', 'A fault in Skein; its log has more'))
  }
