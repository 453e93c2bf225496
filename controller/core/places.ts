import { isRunOver, type RunState } from '../../schemas/run-states.ts'
import type { Target } from '../../schemas/task.ts'
import { isTaskOver, type TaskState } from '../../schemas/task-states.ts'
import { deviceLane, isInLane, laneOf, readLane } from './lanes.ts'

/** A run as its device names it, and where: the device as it says that it is, and the runs that it has there and that go on. */
export interface Named {
  attempt: number
  device: { name: string; labels: Readonly<Record<string, string>> }
  live: ReadonlySet<string>
}

interface Run {
  run_id: string
  attempt: number
  device: string
  lane: string
  state: RunState
}

/** Where a run belongs: to what waits, after an older run of the same device, or beside a task that it does not change any more. */
export type Place<Q, R> = { kind: 'waiting'; row: Q } | { kind: 'after'; run: R } | { kind: 'beside' }

/**
 * Finds what of a task may have been given to a device as a run that we do not know. Nothing, if it was never for this device, has
 * gone to another one since, or has come to a newer attempt: a device's word moves only what it may take.
 */
export const placeFor = <Q extends { lane: string }, R extends Run>(
  task: { state: TaskState; target: Target },
  waiting: readonly Q[],
  runs: readonly R[],
  { attempt, device, live }: Named,
): Place<Q, R> | undefined => {
  // Parts of a fan-out share the count of attempts, not the lane.
  const isNewest = (lane: string): boolean => runs.every((run) => run.lane !== lane || run.attempt < attempt)
  if (isTaskOver(task.state)) {
    const lane = task.target.fanout === 'all' ? deviceLane(device.name) : laneOf(task.target)
    return isMeantFor(task.target, device) && isNewest(lane) ? { kind: 'beside' } : undefined
  }
  const row = waiting.find(({ lane }) => isInLane(readLane(lane), device) && isNewest(lane))
  if (row) return { kind: 'waiting', row }
  const run = runs.findLast((one) => one.device === device.name && !isRunOver(one.state))
  return run && !live.has(run.run_id) && isNewest(run.lane) ? { kind: 'after', run } : undefined
}

/** Whether a task, or a part of it, can be for this device at all. */
export const isMeantFor = (target: Target, device: Named['device']): boolean => isInLane(readLane(laneOf(target)), device)
