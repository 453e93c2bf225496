import type { IconName } from '../parts/icon.tsx'

/** How a state looks: never by its colour alone. */
export interface Look {
  tone: Tone
  icon: IconName
  word: string
}
export type Tone = 'good' | 'busy' | 'wait' | 'warn' | 'bad' | 'off'

const looks: Readonly<Record<string, readonly [Tone, IconName]>> = {
  // devices
  online: ['good', 'check'],
  stale: ['warn', 'clock'],
  offline: ['off', 'cross'],
  drained: ['wait', 'pause'],
  // tasks and runs
  queued: ['wait', 'clock'],
  active: ['busy', 'play'],
  dispatched: ['wait', 'clock'],
  accepted: ['wait', 'clock'],
  running: ['busy', 'play'],
  unknown: ['warn', 'question'],
  succeeded: ['good', 'check'],
  failed: ['bad', 'cross'],
  timed_out: ['bad', 'clock'],
  cancelled: ['off', 'stop'],
  lost: ['bad', 'question'],
  rejected: ['bad', 'cross'],
  expired: ['off', 'clock'],
  // workloads
  registered: ['wait', 'clock'],
  starting: ['busy', 'play'],
  stopping: ['busy', 'stop'],
  stopped: ['off', 'stop'],
  backoff: ['warn', 'clock'],
  completed: ['good', 'check'],
  crash_loop: ['bad', 'refresh'],
  healthy: ['good', 'check'],
  unhealthy: ['bad', 'warning'],
  // approvals
  pending: ['warn', 'clock'],
  approved: ['good', 'check'],
  withdrawn: ['off', 'stop'],
  // tokens
  valid: ['good', 'check'],
  revoked: ['off', 'stop'],
}

/** The look of a state of anything; of one that is not known here, a calm one with its own word. */
export const lookOf = (state: string): Look => {
  const [tone, icon] = (Object.hasOwn(looks, state) ? looks[state] : undefined) ?? (['off', 'dot'] as const)
  return { tone, icon, word: wordOf(state) }
}

/** A state, a reason or a kind as people say it: `timed_out` is `timed out`. */
export const wordOf = (name: string): string => name.replaceAll('_', ' ')
