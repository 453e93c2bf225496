import type { RequestHandler } from 'express'
import { metricsType } from '../../base/metrics.ts'
import { wireError } from '../../schemas/errors.ts'
import { askerRoles } from '../../schemas/operation.ts'
import type { HttpDoorDeps } from './http.ts'
import { identifier } from './http-api.ts'
import { sendError } from './http-reply.ts'

type Deps = Pick<HttpDoorDeps, 'authenticate' | 'metrics' | 'metricsOpen' | 'log'>

/** `/metrics`: for whoever may read, or for everybody where that was asked for. */
export const serveMetrics = (deps: Deps): RequestHandler[] => [
  ...(deps.metricsOpen ? [] : [identifier(deps), mayRead]),
  async (_request, response) => {
    try {
      const text = await deps.metrics()
      response.set('content-type', metricsType).end(text)
    } catch (error) {
      deps.log.error({ err: error }, 'metrics could not be gathered')
      sendError(response, wireError('unavailable', 'Metrics cannot be gathered now; ask again'))
    }
  },
]

/** Viewers and those above them; devices and join tokens may not. */
const mayRead: RequestHandler = (_request, response, next) => {
  const role = String(response.locals['role'])
  if (askerRoles.some((one) => one === role)) next()
  else sendError(response, wireError('forbidden', `role ${role} may not read metrics; viewer may`))
}
