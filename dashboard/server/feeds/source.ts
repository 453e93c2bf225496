import { accepted, type Outcome } from '../../../schemas/errors.ts'
import { isMissing, type LogRecord } from '../../../schemas/log.ts'
import type { InputOf, OperationName, OutputOf } from '../../../schemas/operations.ts'
import { topicOf } from '../../../schemas/topics.ts'

/** What a log is read from: pages that are certain, and a topic that is quick. */
export interface LogSource {
  page(after: number): Promise<Outcome<LogPage>>
  /** Known after the first page at the latest. */
  topic(): string | undefined
}

export interface LogPage {
  records: readonly LogRecord[]
  next: number
  /** Whether nothing follows any more. */
  complete: boolean
  /** Whether there is more that the same question would bring at once. */
  more: boolean
  /** The first number that is still there; what is before it will not come. */
  first: number
  /** Whether it ends before what was asked for: it has begun anew. */
  anew: boolean
  /** What is missing in it is on its way. */
  fetching: boolean
}

/** Asks the controller with the token of whoever looks. */
export type AskAs = <N extends OperationName>(name: N, input: Partial<InputOf<N>>) => Promise<Outcome<OutputOf<N>>>

const pageSize = 10_000
const workloadPageSize = 2000
/** A device sends the lines of a workload live for so long after it was asked. */
const wantedSeconds = 60
const usualTail = 1000

/** The output of a run. */
export const runLog = (ask: AskAs, fleet: string, taskId: string, run: string): LogSource => {
  let device: string | undefined
  return {
    topic: () => (device === undefined ? undefined : topicOf(fleet, 'deviceLog', { device, source: run })),
    page: async (after) => {
      const outcome = await ask('task.logs', { task_id: taskId, run, after, limit: pageSize })
      if (!outcome.ok) return outcome
      const { records, next, complete, fetching } = outcome.output
      device = outcome.output.device ?? device
      const hole = fetching ? records.findIndex(isMissing) : -1
      if (hole < 0) return page({ records, next, complete, more: records.length > 0 })
      const whole = records.slice(0, hole)
      return page({ records: whole, next: whole.at(-1)?.[0] ?? after, complete: false, more: false, fetching: true })
    },
  }
}

/** What an agent does. */
export const runEvents = (ask: AskAs, fleet: string, taskId: string, run: string): LogSource => {
  let device: string | undefined
  return {
    topic: () => (device === undefined ? undefined : topicOf(fleet, 'deviceAgent', { device, run })),
    page: async (after) => {
      const outcome = await ask('task.events', { task_id: taskId, run, after, limit: pageSize })
      if (!outcome.ok) return outcome
      device = outcome.output.device ?? device
      const { events, next, complete } = outcome.output
      return page({ records: events.map(recordOf), next, complete, more: events.length > 0 })
    },
  }
}

type Event = OutputOf<'task.events'>['events'][number]

const recordOf = ({ seq, at, ...event }: Event): LogRecord => {
  if (event.type !== 'dropped') return [seq, Date.parse(at), 'a', event]
  const { type: _, ...dropped } = event
  return [seq, Date.parse(at), 'a', { dropped: dropped as never }] // as the controller wrote it out of such a record
}

/** The log of a workload, from its device. */
export const workloadLog = (ask: AskAs, fleet: string, device: string, workload: string): LogSource => ({
  topic: () => topicOf(fleet, 'deviceLog', { device, source: workload }),
  page: async (after) => {
    const from = after === 0 ? { tail: usualTail } : { after }
    const outcome = await ask('workload.logs', {
      ...{ device, workload, limit: workloadPageSize, follow_seconds: wantedSeconds },
      ...from,
    })
    if (!outcome.ok) return outcome
    const { records, next, first, last } = outcome.output
    return page({ records, next, more: next < last && records.length > 0, first, anew: last < after, complete: false })
  },
})

type PageFound = Partial<LogPage> & Pick<LogPage, 'records' | 'next' | 'complete' | 'more'>
const page = (found: PageFound): Outcome<LogPage> => accepted({ first: 1, anew: false, fetching: false, ...found })
