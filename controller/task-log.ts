import type { Clock } from '../base/clock.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { isMissing } from '../schemas/log.ts'
import type { InputOf } from '../schemas/operations.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { Fetching } from './fetching.ts'
import type { Reading } from './reading/reading.ts'
import type { Store } from './store/store.ts'
import type { TaskRow } from './store/tasks.ts'

export interface TaskLogDeps {
  store: Store
  fetching: Fetching
  reading: Reading
  clock: Clock
}

/** The rest of a log may come a little after the end of its run, without being asked for. */
const restMs = 1000
/** Of a device that is away it is waited for so long after the end. */
const restOfAwayMs = 60_000

/** Answers `task.logs`: a page of what there is, with what is missing shown where it would be, and asked for if its device still has it. */
export const createTaskLog =
  ({ store, fetching, reading, clock }: TaskLogDeps) =>
  async (task: TaskRow, input: InputOf<'task.logs'>): Promise<Outcome<unknown>> => {
    const runs = store.runs.ofTask(task.task_id)
    const run = input.run === undefined ? runs.at(-1) : runs.find((one) => one.run_id === input.run)
    if (!run) {
      if (input.run !== undefined) return refused('not_found', `task ${task.task_id} has no run "${input.run}"`)
      return accepted({ run: null, device: null, records: [], next: input.after, complete: isTaskOver(task.state) })
    }
    // Before the page is read: what comes meanwhile may not be in it.
    const had = store.logs.extent(run.run_id)
    const {
      records,
      next: upTo,
      isEnd,
    } = await reading.log(run.run_id, {
      after: input.after,
      before: input.before,
      limit: input.limit,
      maxBytes: maxOutputBytes * 0.9,
      since: input.since === undefined ? undefined : Date.parse(input.since),
      until: input.until === undefined ? undefined : Date.parse(input.until),
      tail: input.tail,
    })
    const stored = store.logs.extent(run.run_id)
    const ended = run.log === null ? stored : (JSON.parse(run.log) as typeof stored) // stored from a checked report
    const endedAt = run.ended_at
    const sinceEndMs = endedAt === null ? 0 : clock.now() - endedAt
    const at = (): number => Math.max(upTo, records.at(-1)?.[0] ?? 0)
    const isAtEnd = !isEnd && at() >= had.last_seq
    const addHole = (to: number, counts: { lines: number; bytes: number }, reason: string): void => {
      const dropped = { from: at() + 1, to, ...counts, reason }
      if (dropped.from <= to && dropped.from < (input.before ?? Number.POSITIVE_INFINITY))
        records.push([to, endedAt ?? 0, 's', { dropped }])
    }

    let isComing = false
    let isRestComing = false
    // What is old is removed as a whole, and shown as a hole.
    if (stored.isRemoved && endedAt !== null) {
      if (records.length === 0) addHole(stored.last_seq, { lines: stored.lines, bytes: stored.bytes }, 'retention')
    } else {
      const showsHole = records.some(isMissing)
      const lacksRest = endedAt !== null && isAtEnd && ended.last_seq > had.last_seq
      if (showsHole || lacksRest) {
        const reach = fetching.reach(run)
        const isReachable = reach === 'ready' || reach === 'soon'
        isRestComing = lacksRest && isReachable
        isComing = isReachable && (showsHole || sinceEndMs > restMs)
        if (reach === 'ready' && isComing) fetching.ask(run.run_id)
        // The rest is on a device that does not come: the hole is shown where the lines would be.
        const rest = { lines: ended.lines - had.lines, bytes: ended.bytes - had.bytes }
        if (lacksRest && reach === 'gone') addHole(ended.last_seq, rest, 'journal_lost')
        if (lacksRest && reach === 'away' && sinceEndMs > restOfAwayMs) addHole(ended.last_seq, rest, 'missing')
      }
    }
    const next = at()
    // A cancel that is not confirmed may still bring output.
    const isAll = isEnd || (endedAt !== null && run.confirmed !== 0 && next >= Math.max(ended.last_seq, stored.last_seq))
    return accepted({
      run: run.run_id,
      device: run.device,
      state: run.state,
      records,
      next,
      complete: isAll && !isComing && !isRestComing,
      ...(isComing || isRestComing ? { fetching: true } : {}),
    })
  }
export type TaskLog = ReturnType<typeof createTaskLog>
