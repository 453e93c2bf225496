import { isUtf8 } from 'node:buffer'
import express, { type RequestHandler, type Router } from 'express'
import { wireError } from '../../schemas/errors.ts'
import { nearest } from '../../schemas/faults.ts'
import { type OperationName, operationNames, operations } from '../../schemas/operations.ts'
import { maxMessageBytes } from '../../schemas/request.ts'
import type { HttpDoorDeps } from './http.ts'
import { inputFrom } from './http-input.ts'
import { sendError } from './http-reply.ts'

type Deps = Pick<HttpDoorDeps, 'ask' | 'authenticate' | 'log'>

/** Serves every operation of the table at its route below `v1`; knows its paths, so that a wrong method is told from a wrong path. */
export const apiRouter = (deps: Deps): Router => {
  const router = express.Router({ caseSensitive: true })
  // Whatever the content type says: `curl -d` calls JSON a form.
  const readBody = express.json({
    limit: maxMessageBytes,
    strict: false,
    type: () => true,
    // Decoding would put a replacement in place of what is not UTF-8, and something else would run than was asked for.
    verify: (_request, _response, body, encoding) => {
      if (encoding === 'utf-8' && !isUtf8(body)) throw Object.assign(new Error('The body is not UTF-8'), { status: 400 })
    },
  })
  const identify = identifier(deps)
  const byPath = new Map<string, OperationName[]>()
  for (const name of operationNames) {
    const { path } = operations[name].http
    byPath.set(path, [...(byPath.get(path) ?? []), name])
  }
  for (const [path, names] of byPath) {
    const route = router.route(`/v1${path.replace(/\{(\w+)\}/g, ':$1')}`)
    for (const name of names) route[operations[name].http.method](identify, readBody, perform(name, deps))
    const allowed = names.flatMap((name) =>
      operations[name].http.method === 'get' ? ['GET', 'HEAD'] : [operations[name].http.method.toUpperCase()],
    )
    route.all((request, response) => {
      response.set('allow', allowed.join(', '))
      sendError(
        response,
        wireError('unknown_operation', `${request.method} is not possible here; use ${allowed.join(', ')}`),
        405,
      )
    })
  }
  router.use((request, response) => {
    const path = request.path.replace(/^\/v1/, '')
    const near = nearest(path, [...byPath.keys()])
    const hint = near ? `, did you mean /api/v1${near}?` : '; all operations are below /api/v1'
    sendError(response, wireError('unknown_operation', `There is no operation at ${request.originalUrl.split('?')[0]}${hint}`))
  })
  return router
}

/** Finds out who asks before anything else of the request is read. */
export const identifier =
  ({ authenticate, log }: Pick<Deps, 'authenticate' | 'log'>): RequestHandler =>
  async (request, response, next) => {
    const [, token] = /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '') ?? []
    if (token === undefined) {
      return sendError(response, wireError('unauthorized', 'A token is needed, as "authorization: Bearer <token>"'))
    }
    try {
      const who = await authenticate(token)
      if ('reason' in who) return sendError(response, wireError('unauthorized', `Cannot accept the token: ${who.reason}`))
      response.locals['subject'] = who.subject
      response.locals['role'] = who.role
    } catch (error) {
      log.error({ err: error }, 'a token could not be checked')
      return sendError(response, wireError('unavailable', 'The token cannot be checked now'))
    }
    next()
  }

const perform =
  (name: OperationName, { ask, log }: Deps): RequestHandler =>
  async (request, response) => {
    const input = inputFrom(request.params, request.query, request.body)
    if (!input.ok) return sendError(response, input.error)
    try {
      const outcome = await ask({ subject: String(response.locals['subject']), door: 'api' }, name, input.output)
      if (!outcome.ok) return sendError(response, outcome.error)
      const { output } = outcome
      const isDuplicate = typeof output === 'object' && output !== null && 'duplicate' in output && output.duplicate === true
      response.status(isDuplicate ? 200 : operations[name].http.status).json(output)
    } catch (error) {
      log.error({ err: error, operation: name }, 'an operation could not be stored or answered')
      sendError(response, wireError('unavailable', 'It cannot be stored or answered now; ask again'))
    }
  }
