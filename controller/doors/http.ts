import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import type { Closable } from '../../base/lifecycle.ts'
import type { Log } from '../../base/log.ts'
import { wireError } from '../../schemas/errors.ts'
import type { AskerRole } from '../../schemas/operations.ts'
import type { Ask } from '../asking.ts'
import { apiRouter } from './http-api.ts'
import { sendError } from './http-reply.ts'

export interface HttpDoorDeps {
  bind: string
  /** 0 picks a free one. */
  port: number
  ask: Ask
  /** Who a bearer token belongs to, or why it does not hold. */
  authenticate: (token: string) => Promise<{ subject: string; role: AskerRole | string } | { reason: string }>
  /** Whether requests can be served, and what that was judged by. */
  isReady: () => { ready: boolean; checks: Record<string, unknown> }
  log: Log
  version: string
  /** Answers what is neither API nor health: the dashboard's pages. */
  pages?: RequestHandler
}

export interface HttpDoor extends Closable {
  port: number
  app: Express
}

/** Opens the HTTP door: REST below `/api/v1`, `/healthz`, `/readyz`. Whatever begins with `/api/` is answered in JSON. */
export const startHttpDoor = async (deps: HttpDoorDeps): Promise<HttpDoor> => {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use((request, response, next) => {
    const given = request.get('x-request-id')
    response.set('x-request-id', given && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : randomUUID())
    response.set('x-content-type-options', 'nosniff')
    next()
  })
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }))
  app.get('/readyz', (_request, response) => {
    const { ready, checks } = deps.isReady()
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not_ready', checks })
  })
  app.use('/api', apiRouter(deps))
  if (deps.pages) app.use(deps.pages)
  app.get('/', (_request, response) => void response.type('text').send(waysIn(deps.version)))
  app.use((request, response) => sendError(response, wireError('not_found', `There is nothing at ${request.path}`)))
  app.use(onFault(deps.log))

  const server = createServer(
    // Slow or stuck clients give their connection back.
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 30_000, connectionsCheckingInterval: 5000 },
    app,
  )
  await listen(server, deps.bind, deps.port)
  const { port } = server.address() as AddressInfo // it listens on TCP, so this is not the name of a pipe
  let closed: Promise<void> | undefined
  return {
    port,
    app,
    close: () => {
      closed ??= closeServer(server)
      return closed
    },
  }
}

const waysIn = (version: string): string =>
  [
    `Skein ${version}`,
    '',
    'REST     /api/v1/tasks, /api/v1/devices, /api/v1/status   (authorization: Bearer <token>)',
    'health   /healthz, /readyz',
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

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`Cannot listen for HTTP on ${host}:${port}`, { cause: error })))
    server.listen({ host, port }, resolve)
  })

/** Answers what is under way, for two seconds at most. */
const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), 2000)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
