import type { Response } from 'express'
import { errorCodes, type WireError } from '../../schemas/errors.ts'

/** Answers with a refusal: its code decides the status. */
export const sendError = (response: Response, error: WireError, status = statusOf(error.code)): void => {
  if (status === 401) response.set('www-authenticate', 'Bearer realm="skein"')
  if (status === 503) response.set('retry-after', '1')
  // A body that is not read to its end would be taken for the next request.
  if (status === 401 || status === 413) response.set('connection', 'close')
  response.status(status).json({ error })
}

const statusOf = (code: string): number => Object.entries(errorCodes).find(([name]) => name === code)?.[1].status ?? 500
