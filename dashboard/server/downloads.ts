import express, { type Response, type Router } from 'express'
import type { Outcome } from '../../schemas/errors.ts'
import { bytesOf, isDrop, type LogRecord } from '../../schemas/log.ts'
import type { ControllerApi } from './controller-api.ts'
import { notSignedIn, sendError, sessionIn } from './sign-in.ts'

interface Page {
  records: readonly LogRecord[]
  next: number
  isLast: boolean
}

/** Whole logs as files: `/dashboard/tasks/{task}/log?run=` and `/dashboard/devices/{device}/workloads/{workload}/log`. */
export const downloadRouter = (api: ControllerApi): Router => {
  const router = express.Router()

  router.get('/tasks/:task/log', (request, response) => {
    const session = sessionIn(response)
    if (!session) return sendError(response, notSignedIn)
    const run = typeof request.query['run'] === 'string' ? request.query['run'] : undefined
    const input = { task_id: request.params.task, ...(run === undefined ? {} : { run }), limit: 10_000 }
    return download(response, `${run ?? request.params.task}.log`, async (after) => {
      const outcome = await api.ask(session.token, 'task.logs', { ...input, after })
      if (!outcome.ok) return outcome
      const { records, next } = outcome.output
      return { ok: true, output: { records, next, isLast: records.length === 0 || next <= after } }
    })
  })

  router.get('/devices/:device/workloads/:workload/log', (request, response) => {
    const session = sessionIn(response)
    if (!session) return sendError(response, notSignedIn)
    const { device, workload } = request.params
    return download(response, `${device}-${workload}.log`, async (after) => {
      const outcome = await api.ask(session.token, 'workload.logs', { device, workload, after, limit: 2000 })
      if (!outcome.ok) return outcome
      const { records, next, last } = outcome.output
      return { ok: true, output: { records, next, isLast: records.length === 0 || next >= last } }
    })
  })
  return router
}

/** Page after page, as fast as the browser takes them. What breaks in the middle breaks the download, so that nobody takes it for the whole. */
const download = async (response: Response, name: string, page: (after: number) => Promise<Outcome<Page>>): Promise<void> => {
  for (let after = 0, isFirst = true; ; isFirst = false) {
    const outcome = await page(after)
    if (response.destroyed) return
    if (!outcome.ok) {
      if (isFirst) return sendError(response, outcome.error)
      response.destroy(new Error(outcome.error.message))
      return
    }
    if (isFirst)
      response.set({
        'content-type': 'text/plain; charset=utf-8',
        'content-disposition': `attachment; filename="${name.replace(/[^a-z0-9.-]/g, '_')}"`,
        'cache-control': 'no-store',
      })
    const { records, next, isLast } = outcome.output
    const bytes = Buffer.concat(records.map(linesOf))
    if (bytes.length > 0 && !response.write(bytes)) await drained(response)
    if (isLast) return void response.end()
    after = next
  }
}

/** The program's own bytes; what Skein says, and what is missing, as lines that say so. */
const linesOf = (record: LogRecord): Uint8Array => {
  const [, , stream, text] = record
  if (isDrop(text)) return Buffer.from(`[skein: ${text.dropped.lines} lines are not here: ${text.dropped.reason}]\n`)
  return stream === 's' && typeof text === 'string' ? Buffer.from(`[skein: ${text}]\n`) : bytesOf(record)
}

const drained = (response: Response): Promise<void> =>
  new Promise((resolve) => {
    response.once('drain', resolve)
    response.once('close', resolve)
  })
