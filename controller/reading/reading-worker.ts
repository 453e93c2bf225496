import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Closable } from '../../base/lifecycle.ts'
import type { Log } from '../../base/log.ts'
import { type ReaderName, ReadFailed, type Reading, readingBy } from './reading.ts'

export interface Files {
  file: string
  logFile: string
}
export interface Question {
  id: number
  name: ReaderName
  rest: unknown[]
}
export type Answer =
  | { id: number; ok: true; value: unknown }
  | { id: number; ok: false; message: string; code: string | undefined }

export interface ReadingWorkerOptions extends Files {
  clock: Clock
  log: Log
  /** A read has found its database broken. */
  damaged: (database: 'controller' | 'logs', error: unknown) => void
  /** The bundle of worker.ts. */
  script: URL
}

/** Reads of the database of logs. */
const inLogs: ReadonlySet<ReaderName> = new Set(['log', 'deviceMetrics', 'metricsBytes'])

/** A worker that nobody has asked anything for so long is ended: it has memory of its own. */
const idleMs = 60_000
/** So many questions may wait; more of them would only grow old. */
const mostWaiting = 1000

/**
 * Does the long reads in a thread of its own, with connections of its own, so that they never hold the loop. It is started with the first question, and
 * again after it has died: then those who waited are told, and may ask again.
 */
export const startReadingWorker = (options: ReadingWorkerOptions): Reading & Closable => {
  const { clock, log, script, file, logFile } = options
  if (!existsSync(fileURLToPath(script))) throw new Error(`Cannot read in a worker: there is no "${fileURLToPath(script)}"`)
  const waiting = new Map<number, { name: ReaderName; resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let worker: Worker | undefined
  let lastId = 0
  let idle: Timer | undefined
  let isClosed = false

  const start = (): Worker => {
    // Rows of one page at a time: what needs more than this has gone wrong, and the thread ends instead of the process.
    const started = new Worker(script, {
      workerData: { file, logFile },
      resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
    })
    started.on('message', (answer: Answer) => {
      const asker = waiting.get(answer.id)
      waiting.delete(answer.id)
      if (answer.ok) asker?.resolve(answer.value)
      else {
        asker?.reject(new ReadFailed(answer.message))
        if (/^SQLITE_(CORRUPT|NOTADB)/.test(answer.code ?? ''))
          options.damaged(asker && inLogs.has(asker.name) ? 'logs' : 'controller', answer.message)
      }
      if (waiting.size === 0) idle = clock.after(idleMs, retire)
    })
    started.on('error', (error) => log.error({ err: error }, 'the reading worker has failed'))
    started.on('exit', (code) => {
      if (worker !== started) return
      worker = undefined
      if (waiting.size > 0)
        log.warn({ code, waiting: waiting.size }, 'the reading worker has ended; it is started again when it is needed')
      for (const { reject } of waiting.values()) reject(new ReadFailed('the reading worker has ended'))
      waiting.clear()
    })
    return started
  }

  /** Lets an idle worker go; who asks from now on gets another. */
  const retire = (): void => {
    const retired = worker
    worker = undefined
    void retired?.terminate()
  }

  const perform = (name: ReaderName, rest: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(new ReadFailed('the controller ends'))
      if (waiting.size >= mostWaiting) return reject(new ReadFailed(`${mostWaiting} reads wait already`))
      idle?.cancel()
      worker ??= start()
      const id = ++lastId
      waiting.set(id, { name, resolve, reject })
      worker.postMessage({ id, name, rest } satisfies Question)
    })

  return {
    ...readingBy(perform),
    close: async () => {
      isClosed = true
      idle?.cancel()
      await worker?.terminate()
    },
  }
}
