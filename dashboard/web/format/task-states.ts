import type { TaskState } from '../../../schemas/task-states.ts'

/** The states of a task, in the order of its life. */
export const taskStates: readonly TaskState[] = [
  ...(['queued', 'active', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'rejected', 'expired'] as const),
]

/** Whether a task or a run has ended. */
export const isOver = (state: string): boolean =>
  !['queued', 'active', 'dispatched', 'accepted', 'running', 'unknown'].includes(state)
