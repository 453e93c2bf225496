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
  // deployments, devices in them, and releases on devices
  in_progress: ['busy', 'play'],
  paused: ['warn', 'pause'],
  rolling_back: ['warn', 'back'],
  rolled_back: ['warn', 'back'],
  deferred: ['off', 'clock'],
  deploying: ['busy', 'deploy'],
  deployed: ['busy', 'clock'],
  superseded: ['off', 'right'],
  skipped: ['off', 'check'],
  downloading: ['busy', 'download'],
  unpacking: ['busy', 'release'],
  applying: ['busy', 'deploy'],
  settling: ['busy', 'clock'],
  removing: ['busy', 'trash'],
  // approvals
  pending: ['warn', 'clock'],
  approved: ['good', 'check'],
  withdrawn: ['off', 'stop'],
  // tokens
  valid: ['good', 'check'],
  revoked: ['off', 'stop'],
}

/** What waits for its turn, and for nobody: an approval that is pending waits for somebody. */
const calm: readonly [Tone, IconName] = ['wait', 'clock']

/** The look of a state of anything; of one that is not known here, a calm one with its own word. */
export const lookOf = (state: string, of?: 'deployment'): Look => {
  const known = Object.hasOwn(looks, state) ? looks[state] : undefined
  const [tone, icon] = (of && state === 'pending' ? calm : known) ?? (['off', 'dot'] as const)
  return { tone, icon, word: wordOf(state) }
}

/** A state, a reason or a kind as people say it: `timed_out` is `timed out`. */
export const wordOf = (name: string): string => name.replaceAll('_', ' ')
