/**
 * The life of a run:
 *
 *   dispatched ──▶ accepted ──▶ running ──▶ succeeded | failed | timed_out | cancelled
 *       │  │           │           │
 *       │  └───────────┴─────┬─────┘   ◀──▶ unknown      (the device has been silent for too long; back when it speaks)
 *       │                    └──▶ lost
 *       └──▶ rejected
 *
 * States have ranks; a report of a lower rank than what is known is stale. A terminal state never changes:
 * what a device says later about such a run is kept beside it, as `late`.
 */
export const terminalRunStates = ['succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'rejected'] as const
export const runStates = ['dispatched', 'accepted', 'running', 'unknown', ...terminalRunStates] as const

export type RunState = (typeof runStates)[number]
export type TerminalRunState = (typeof terminalRunStates)[number]
/** What a device may say of a run; `lost` and `unknown` are the controller's judgement. */
export const reportedRunStates = ['accepted', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'rejected'] as const
export type ReportedRunState = (typeof reportedRunStates)[number]

const rank: Record<RunState, number> = {
  dispatched: 0,
  unknown: 0,
  accepted: 1,
  running: 2,
  succeeded: 3,
  failed: 3,
  timed_out: 3,
  cancelled: 3,
  lost: 3,
  rejected: 3,
}

export const isRunOver = (state: RunState): state is TerminalRunState => rank[state] === 3

export type RunVerdict = { kind: 'change'; to: RunState } | { kind: 'late' } | { kind: 'stale' }

/** What a change of state would do to a run: change it, go to `late` because the run is over, or be stale. */
export const runTransition = (state: RunState, to: RunState): RunVerdict => {
  if (isRunOver(state)) return isRunOver(to) && to !== state ? { kind: 'late' } : { kind: 'stale' }
  if (to === 'unknown') return state === 'unknown' ? { kind: 'stale' } : { kind: 'change', to }
  if (state === 'unknown') return { kind: 'change', to }
  if (to === 'rejected' && state !== 'dispatched') return { kind: 'stale' }
  return rank[to] > rank[state] ? { kind: 'change', to } : { kind: 'stale' }
}
