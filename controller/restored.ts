import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { Execution } from './execution.ts'
import type { Fleet } from './fleet.ts'
import type { QueueRow } from './store/queue.ts'
import type { Store } from './store/store.ts'

/** Where a restored database says so, until it has been dealt with. */
export const restoredKey = 'restored'

export interface RestoredDeps {
  store: Store
  fleet: Fleet
  execution: Execution
  commits: GroupCommit
  clock: Clock
  log: Log
  /** Now work can be dispatched. */
  settled: () => void
}

interface Mark {
  at: number
  made: number
  run_waiting: boolean
}

/** So long those that are known may take to say what they have; who comes later is not waited for. */
const graceMs = 60_000
/** Devices remember what they ran for longer than this, and then answer with it instead of running it again. */
const rememberedMs = 12 * 3600 * 1000
const atATime = 500

/**
 * After a restore time has gone on without this database: what waits in it may have run since. So nothing is dispatched until the devices have said which runs
 * they have, which are then adopted. Of what still waits only that goes on which a device would recognise as its own; the rest ends `lost`, because nothing may run twice.
 */
export const createRestored = ({ store, fleet, execution, commits, clock, log, settled }: RestoredDeps) => {
  const text = store.meta.get(restoredKey)
  let mark = text === undefined ? undefined : (JSON.parse(text) as Mark) // written by the restore
  const known = [...fleet.devices.keys()]
  const newest = mark ? (store.queue.lastId() ?? 0) : 0
  const until = clock.mono() + graceMs
  let after = 0
  let ended = 0
  let isBusy = false
  if (mark) log.warn({ known: known.length }, 'this database was restored: work waits until the devices have said what they have')

  const isRecognised = ({ lane, task_id }: QueueRow, made: number): boolean =>
    lane.startsWith('=') && store.tasks.get(task_id)?.open === 1 && clock.now() - made < rememberedMs

  /** Ends some of what waits. Says how many, and how far it came: `last` is undefined when there is no more. */
  const endSome = (now: Mark): { last: number | undefined; count: number } => {
    let count = 0
    const rows = now.run_waiting ? [] : store.queue.between(after, newest, atATime)
    for (const row of rows) {
      if (isRecognised(row, now.made)) continue
      store.queue.remove(row.id)
      if (row.due_at === null) fleet.addWaiting(row.lane, -1)
      const task = store.tasks.get(row.task_id)
      if (!task || isTaskOver(task.state)) continue
      execution.endPart(task, 'lost', 'restored: it may have run since the backup was made', null)
      count++
    }
    if (rows.length === 0) store.meta.remove(restoredKey)
    return { last: rows.at(-1)?.id, count }
  }

  const isDue = (): boolean => clock.mono() >= until || known.every((name) => fleet.devices.get(name)?.isReady)

  return {
    isSettling: (): boolean => mark !== undefined,
    /** The copy is so old that devices may have forgotten runs of which they had told everything. */
    isOld: (): boolean => mark !== undefined && mark.at - mark.made >= rememberedMs,
    tick: (): void => {
      if (mark === undefined || isBusy || !isDue()) return
      isBusy = true
      const now = mark
      commits
        .run(() => endSome(now))
        .then(({ last, count }) => {
          ended += count
          if (last !== undefined) {
            after = last
            return
          }
          mark = undefined
          log.warn({ ended }, 'the restore is settled: work goes on')
          settled()
        })
        .catch((error: unknown) => log.error({ err: error }, 'what was restored could not be settled; tried again in a second'))
        .finally(() => {
          isBusy = false
        })
    },
  }
}
