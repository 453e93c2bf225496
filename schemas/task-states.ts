/**
 * The life of a task:
 *
 *            dispatch                 end
 *   queued ───────────▶ active ───────────────▶ succeeded | failed | timed_out | cancelled | lost | rejected | expired
 *     │  ◀───────────     │
 *     │      retry        │
 *     │                   │
 *     └─ end ─▶ cancelled | expired
 *
 * A terminal state never changes.
 */
export const terminalTaskStates = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'rejected', 'expired'] as const
export const taskStates = ['queued', 'active', ...terminalTaskStates] as const

export type TaskState = (typeof taskStates)[number]
export type TerminalTaskState = (typeof terminalTaskStates)[number]
export type TaskEvent = { kind: 'dispatch' } | { kind: 'retry' } | { kind: 'end'; as: TerminalTaskState }

export const isTaskOver = (state: TaskState): state is TerminalTaskState => state !== 'queued' && state !== 'active'

/** The state after an event; an event that the state does not expect is stale and changes nothing. */
export const taskTransition = (state: TaskState, event: TaskEvent): TaskState => {
  if (isTaskOver(state)) return state
  switch (event.kind) {
    case 'dispatch':
      return 'active'
    case 'retry':
      return 'queued'
    case 'end':
      return event.as
  }
}
