import type { Clock } from '../base/clock.ts'
import type { Hello } from '../schemas/exchange.ts'
import { readRunId } from '../schemas/ids.ts'
import { deviceLane } from './core/lanes.ts'
import { isMeantFor, type Named, type Place, placeFor } from './core/places.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { QueueRow } from './store/queue.ts'
import { newRun, type RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf, newTask, type TaskRow } from './store/tasks.ts'

export interface AdoptionDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  clock: Clock
}

/**
 * Takes up a run that we do not know, on a device of ours: our database was restored from an older copy. It is recorded from the
 * device's word, in the place of the waiting task if that is still there. Says whether it was taken up: a run in which its device
 * has no part, or no longer, is not. Runs inside a transaction.
 */
export const createAdoption = ({ store, fleet, effects, execution, clock }: AdoptionDeps) => {
  const placeOf = (task: TaskRow, named: Named): Place<QueueRow, RunRow> | undefined => {
    // How many devices had a part in it is not known either: none is stopped, and those that came later do not change it.
    if (isAdopted(task)) return { kind: 'beside' }
    const { state, task_id } = task
    const { target } = bodyOf(task)
    const place = placeFor({ state, target }, store.queue.ofTask(task_id), store.runs.ofTask(task_id), named)
    // Its device would answer an order of the same id with what became of this one, and run nothing.
    if (!place && target.fanout !== 'all' && isMeantFor(target, named.device)) execution.spend(task, named.attempt)
    return place
  }

  return (device: FleetDevice, one: Hello['runs'][number], live: ReadonlySet<string>): boolean => {
    const name = device.row.name
    const id = readRunId(one.run)
    // Stored under another task, it would take the id of a run that is yet to come.
    if (!id || (one.task ?? id.task) !== id.task) return false
    const now = clock.now()
    const known = store.tasks.get(id.task)
    const named = { attempt: id.attempt, device: { name, labels: device.labels }, live }
    const place = known && placeOf(known, named)
    if (known && !place) return false
    if (!known) effects.taskChanged(store.tasks.insert(taskUnknown(id.task, name, id.attempt, now), []))
    const part = known && place && execution.takePlace(known, place, name, id.attempt)
    const run = newRun({
      run_id: one.run,
      task_id: id.task,
      attempt: id.attempt,
      device: name,
      journal: device.row.journal,
      lane: part?.lane ?? deviceLane(name),
      tries: part ? part.tries + 1 : id.attempt,
      state: 'accepted',
      reason: 'adopted',
      dispatched_at: now,
      accepted_at: now,
      // Cancelled before its device came: it is to stop there as well.
      cancel_requested_at: known?.cancel_requested_at ?? null,
    })
    store.runs.insert(run)
    effects.runChanged(run)
    fleet.hold(run, known ? bodyOf(known).options : {})
    return true
  }
}

/** Made below; a client may call its source what it likes, but asks under its own name. */
const isAdopted = (task: TaskRow): boolean => task.source === 'adopted' && task.requested_by === task.target_device

/** A task of which only its run is known: what it ran and who asked for it is lost. */
const taskUnknown = (taskId: string, device: string, attempt: number, now: number) =>
  newTask({
    task_id: taskId,
    state: 'active',
    reason: 'adopted',
    type: 'command',
    rank: 2,
    source: 'adopted',
    requested_by: device,
    target_device: device,
    device,
    body: JSON.stringify({
      type: 'command',
      payload: {},
      priority: 'medium',
      source: 'adopted',
      target: { device },
      options: {},
      metadata: {},
      tags: [],
    }),
    fingerprint: '',
    attempt,
    open: 1,
    created_at: now,
  })
