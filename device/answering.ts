import type { Log } from '../base/log.ts'
import { type Outcome, refused } from '../schemas/errors.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import type { WorkloadRequest, WorkloadRequestInput } from '../schemas/workload-requests.ts'

/**
 * Does what was asked about workloads; a refusal that is expected is a value. It is called once for each request, however often
 * that is repeated. What it gives must fit in a message: a page of logs of at most 96 KiB.
 */
export type Perform = <R extends WorkloadRequest>(request: R, input: WorkloadRequestInput<R>) => Promise<Outcome<unknown>>

export interface AnsweringDeps {
  perform: Perform
  /** Publishes an answer; while there is no connection it is lost, and asked for again. */
  send: (payload: string) => void
  log: Log
}

/** So many answers are remembered, for requests that are repeated because an answer was lost. */
const mostAnswers = 256

/** Answers what the controller asks: does it once, and says again what came of it when it is asked again. */
export const createAnswering = ({ perform, send, log }: AnsweringDeps) => {
  /** Null while it is being done. */
  const answers = new Map<string, string | null>()

  const remember = (request: string, answer: string): void => {
    answers.set(request, answer)
    for (const [one, known] of answers) {
      if (answers.size <= mostAnswers) break
      if (known !== null) answers.delete(one)
    }
  }

  return {
    asked: async <R extends WorkloadRequest>(request: string, what: R, input: WorkloadRequestInput<R>): Promise<void> => {
      const known = answers.get(request)
      if (known === null) return // its answer comes when it is done
      if (known !== undefined) return send(known)
      answers.set(request, null)
      const answer = messageOf(
        request,
        await perform(what, input).catch((error: unknown) => {
          log.error({ err: error, request: what }, 'what was asked about a workload could not be done')
          return refused('internal', `the device could not do it: ${error instanceof Error ? error.message : String(error)}`)
        }),
      )
      // To read twice is no harm, and pages are large.
      if (what === 'logs' || what === 'history') answers.delete(request)
      else remember(request, answer)
      send(answer)
    },
  }
}

const messageOf = (request: string, outcome: Outcome<unknown>): string => {
  const answer = JSON.stringify({ input: { request, ...outcome } })
  const bytes = Buffer.byteLength(answer)
  if (bytes <= maxOutputBytes) return answer
  return JSON.stringify({
    input: { request, ...refused('too_large', `the answer has ${bytes} bytes, and does not fit in a message; ask for less`) },
  })
}
