import type { Log } from '../base/log.ts'
import { type Outcome, refused } from '../schemas/errors.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import type { WorkloadQuestion, WorkloadRequest } from '../schemas/workload-requests.ts'

/**
 * Does what was asked about workloads; a refusal that is expected is a value. It is called once for each request, however often
 * that is repeated. What it gives must fit in a message: a page of logs of at most 96 KiB.
 */
export type Perform = <R extends WorkloadRequest>(request: R, input: WorkloadQuestion<R>) => Promise<Outcome<unknown>>

export interface AnsweringDeps {
  perform: Perform
  /** Publishes an answer; while there is no connection it is lost, and asked for again. */
  send: (payload: string) => void
  log: Log
}

/** So many answers are remembered, for requests that are repeated because an answer was lost. */
const mostAnswers = 256
/** Of shells: each may be as large as a message, and who writes waits for the answer to what was written before. */
const mostShellAnswers = 64

/** Answers what the controller asks: does it once, and says again what came of it when it is asked again. */
export const createAnswering = ({ perform, send, log }: AnsweringDeps) => {
  /** Null while it is being done. */
  const answers = new Map<string, string | null>()
  /** Whoever types asks so often that all others would be forgotten. */
  const shellAnswers = new Map<string, string | null>()

  const remember = (kept: typeof answers, most: number, request: string, answer: string): void => {
    kept.set(request, answer)
    for (const [one, known] of kept) {
      if (kept.size <= most) break
      if (known !== null) kept.delete(one)
    }
  }

  return {
    asked: async <R extends WorkloadRequest>(request: string, what: R, input: WorkloadQuestion<R>): Promise<void> => {
      const kept = what === 'shell' ? shellAnswers : answers
      const known = kept.get(request)
      if (known === null) return // its answer comes when it is done
      if (known !== undefined) return send(known)
      kept.set(request, null)
      const answer = messageOf(
        request,
        await perform(what, input).catch((error: unknown) => {
          log.error({ err: error, request: what }, 'what was asked about a workload could not be done')
          return refused('internal', `the device could not do it: ${error instanceof Error ? error.message : String(error)}`)
        }),
      )
      // To read twice is no harm, and pages are large.
      if (isReading(what, input)) kept.delete(request)
      else remember(kept, what === 'shell' ? mostShellAnswers : mostAnswers, request, answer)
      send(answer)
    },
  }
}

const isReading = <R extends WorkloadRequest>(what: R, input: WorkloadQuestion<R>): boolean =>
  what === 'logs' || what === 'history' || (what === 'shell' && 'session' in input && !('write' in input) && !('end' in input))

const messageOf = (request: string, outcome: Outcome<unknown>): string => {
  const answer = JSON.stringify({ input: { request, ...outcome } })
  const bytes = Buffer.byteLength(answer)
  if (bytes <= maxOutputBytes) return answer
  return JSON.stringify({
    input: { request, ...refused('too_large', `the answer has ${bytes} bytes, and does not fit in a message; ask for less`) },
  })
}
