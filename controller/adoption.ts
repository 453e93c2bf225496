import type { Clock } from '../base/clock.ts'
import type { Hello } from '../schemas/exchange.ts'
import { deviceLane } from './core/lanes.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet } from './fleet.ts'
import { newRun } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf, newTask } from './store/tasks.ts'

export interface AdoptionDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  clock: Clock
}

/**
 * Takes up a run that we do not know, on a device of ours: our database was restored from an older copy. It is recorded from the
 * device's word, in the place of the waiting task if that is still there. Runs inside a transaction.
 */
export const createAdoption =
  ({ store, fleet, effects, execution, clock }: AdoptionDeps) =>
  (device: string, one: Hello['runs'][number]): void => {
    const now = clock.now()
    const taskId = one.task ?? one.run
    const attempt = Number(/-(\d+)$/.exec(one.run)?.[1] ?? 1)
    const known = store.tasks.get(taskId)
    if (!known) effects.taskChanged(store.tasks.insert(taskUnknown(taskId, device, attempt, now), []))
    const place = known && execution.takePlace(known, device, attempt)
    const run = newRun({
      run_id: one.run,
      task_id: taskId,
      attempt,
      device,
      journal: fleet.devices.get(device)?.row.journal ?? null,
      lane: place?.lane ?? deviceLane(device),
      tries: place ? place.tries + 1 : attempt,
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
  }

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
