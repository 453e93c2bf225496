import express, { type Response, type Router } from 'express'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Outcome } from '../../schemas/errors.ts'
import { bytesOf, isDrop, isMissing, type LogRecord } from '../../schemas/log.ts'
import type { ControllerApi } from './controller-api.ts'
import { notSignedIn, sendError, sessionIn } from './sign-in.ts'

interface Page {
  records: readonly LogRecord[]
  next: number
  isLast: boolean
  /** What is missing in it is on its way from the device. */
  isFetching: boolean
}

/** So long what is on its way is waited for, while none of it comes. */
const comingWithinMs = 15_000
const askAgainMs = 200

/** Whole logs as files: `/dashboard/tasks/{task}/log?run=` and `/dashboard/devices/{device}/workloads/{workload}/log`. */
export const downloadRouter = (api: ControllerApi, clock: Clock): Router => {
  const router = express.Router()

  router.get('/tasks/:task/log', (request, response) => {
    const session = sessionIn(response)
    if (!session) return sendError(response, notSignedIn)
    const run = typeof request.query['run'] === 'string' ? request.query['run'] : undefined
    const input = { task_id: request.params.task, ...(run === undefined ? {} : { run }), limit: 10_000 }
    return download(response, clock, `${run ?? request.params.task}.log`, async (after) => {
      const outcome = await api.ask(session.token, 'task.logs', { ...input, after })
      if (!outcome.ok) return outcome
      const { records, next, fetching } = outcome.output
      const isLast = records.length === 0 || next <= after
      return { ok: true, output: { records, next, isLast, isFetching: fetching === true } }
    })
  })

  router.get('/devices/:device/workloads/:workload/log', (request, response) => {
    const session = sessionIn(response)
    if (!session) return sendError(response, notSignedIn)
    const { device, workload } = request.params
    return download(response, clock, `${device}-${workload}.log`, async (after) => {
      const outcome = await api.ask(session.token, 'workload.logs', { device, workload, after, limit: 2000 })
      if (!outcome.ok) return outcome
      const { records, next, last } = outcome.output
      return { ok: true, output: { records, next, isLast: records.length === 0 || next >= last, isFetching: false } }
    })
  })
  return router
}

/** Page after page, as fast as the browser takes them. What breaks in the middle breaks the download, so that nobody takes it for the whole. */
const download = async (
  response: Response,
  clock: Clock,
  name: string,
  page: (after: number) => Promise<Outcome<Page>>,
): Promise<void> => {
  let movedAtMono = clock.mono()
  for (let after = 0; ; ) {
    const outcome = await page(after)
    if (response.destroyed) return
    if (!outcome.ok) {
      if (!response.headersSent) return sendError(response, outcome.error)
      response.destroy(new Error(outcome.error.message))
      return
    }
    if (!response.headersSent)
      response
        .set({
          'content-type': 'text/plain; charset=utf-8',
          'content-disposition': `attachment; filename="${name.replace(/[^a-z0-9.-]/g, '_')}"`,
          'cache-control': 'no-store',
        })
        .flushHeaders()
    const { next, isLast, isFetching } = outcome.output
    const isAwaited = isFetching && clock.mono() - movedAtMono < comingWithinMs
    const hole = isAwaited ? outcome.output.records.findIndex(isMissing) : -1
    const records = hole < 0 ? outcome.output.records : outcome.output.records.slice(0, hole)
    const bytes = Buffer.concat(records.map(linesOf))
    if (bytes.length > 0) movedAtMono = clock.mono()
    if (bytes.length > 0 && !response.write(bytes)) await drained(response)
    if (!isAwaited && isLast) return void response.end()
    after = hole < 0 ? next : (records.at(-1)?.[0] ?? after)
    if (isAwaited) await sleep(clock, askAgainMs)
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
    const goOn = (): void => {
      response.off('drain', goOn)
      response.off('close', goOn)
      resolve()
    }
    response.on('drain', goOn)
    response.on('close', goOn)
  })
