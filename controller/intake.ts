import { createHash } from 'node:crypto'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { matches, parseSelector } from '../schemas/selector.ts'
import { priorities, type TaskInput } from '../schemas/task.ts'
import { deviceLane, laneOf } from './core/lanes.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Effects } from './effects.ts'
import { type Execution, onDevice } from './execution.ts'
import type { Fleet } from './fleet.ts'
import type { Store } from './store/store.ts'
import { newTask, type TaskRow } from './store/tasks.ts'

export interface IntakeDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  dispatcher: Dispatcher
  clock: Clock
  chance: Chance
}

/** A fan-out for which there is no device. */
export const noMatch = refused(
  'no_match',
  'target.selector matches no device that could take the task now, and a fan-out is fixed when it is accepted',
  [{ field: 'target.selector', code: 'no_match', message: 'matches no device' }],
)

/** Takes a checked task into the store and the queue; runs inside a transaction. */
export const createIntake = ({ store, fleet, effects, execution, dispatcher, clock, chance }: IntakeDeps) => ({
  /**
   * The same key and body give the same task, `isNew` false; the same key with another body is a conflict. A `door` is the source
   * of a task that names none, and no part of its body: the same request may come again by another. A task for which a device
   * has room goes there at once, without a row in the queue; the row that is given back is the one that was accepted.
   */
  submit: (
    by: string,
    task: TaskInput,
    { retryOf = null, door }: { retryOf?: string | null; door?: string | undefined } = {},
  ): Outcome<{ row: TaskRow; isNew: boolean; isPlaced: boolean }> => {
    const source = door ?? task.source
    const body = JSON.stringify({ ...task, source })
    // It tells a repetition from a conflict, so without a key nobody asks for it.
    const fingerprint = task.idempotency_key === undefined ? '' : fingerprintOf(task)
    if (task.idempotency_key !== undefined) {
      const known = store.tasks.byKey(by, task.idempotency_key)
      if (known && known.fingerprint !== fingerprint) {
        return refused(
          'conflict',
          `idempotency_key "${task.idempotency_key}" belongs to task ${known.task_id}, which has another body`,
          [{ field: 'idempotency_key', code: 'conflict', message: `is taken by task ${known.task_id} with another body` }],
        )
      }
      if (known) return accepted({ row: known, isNew: false, isPlaced: false })
    }
    const lanes = lanesFor(task, fleet)
    if (lanes.length === 0) return noMatch
    const now = clock.now()
    const rank = priorities.indexOf(task.priority)
    const within = task.options.start_within_seconds
    const expiresAt = within === undefined ? null : Math.round(now + within * 1000)
    const [lane = ''] = lanes
    const device = lanes.length === 1 ? dispatcher.deviceFor(lane) : undefined
    const fresh = newTask({
      task_id: chance.ulid(now),
      type: task.type,
      rank,
      source,
      requested_by: by,
      repository: task.target.repository ?? null,
      target_device: task.target.device ?? null,
      body,
      idempotency_key: task.idempotency_key ?? null,
      fingerprint,
      retry_of: retryOf,
      open: lanes.length,
      created_at: now,
    })
    if (device) {
      const dispatched = store.tasks.insert(Object.assign({ ...fresh }, onDevice(fresh, device)), task.tags)
      execution.startRun(dispatched, { lane, tries: 0, expires_at: expiresAt }, device)
      const row = Object.assign(fresh, { n: dispatched.n, reason: 'about to be dispatched' })
      return accepted({ row, isNew: true, isPlaced: true })
    }
    const row = store.tasks.insert(fresh, task.tags)
    for (const lane of lanes) {
      store.queue.add({ task_id: row.task_id, lane, rank, tries: 0, due_at: null, expires_at: expiresAt })
      fleet.addWaiting(lane, 1)
      dispatcher.laneHasMore(lane)
    }
    effects.taskChanged(row)
    return accepted({ row, isNew: true, isPlaced: false })
  },
})

/** One lane for one run; for `fanout: all` one for each device that matches now and is neither removed nor drained. */
const lanesFor = (task: TaskInput, fleet: Fleet): string[] => {
  if (task.target.fanout !== 'all') return [laneOf(task.target)]
  if (task.target.device !== undefined) return [deviceLane(task.target.device)]
  const selector = parseSelector(task.target.selector ?? '')
  const requirements = selector.ok && task.target.selector ? selector.requirements : []
  return [...fleet.devices.values()]
    .filter((device) => !device.row.drained && !device.row.removed && matches(requirements, device.labels))
    .map((device) => deviceLane(device.row.name))
}

/** A digest that does not depend on the order of keys, nor on which way the task came. */
const fingerprintOf = (task: TaskInput): string =>
  createHash('sha256')
    .update(JSON.stringify(sorted(task)))
    .digest('hex')

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  )
}

export type Intake = ReturnType<typeof createIntake>
