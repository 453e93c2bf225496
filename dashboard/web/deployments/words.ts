import type { Deployment, DeploymentDeviceState, DeploymentState, DeploymentTarget } from '../../../schemas/deployment.ts'
import { countText, durationText, plural } from '../format/amounts.ts'
import { wordOf } from '../format/states.ts'

/** The states of a deployment, in the order of its life. */
export const deploymentStates: readonly DeploymentState[] = [
  ...(['pending', 'in_progress', 'paused', 'completed', 'failed', 'cancelled', 'rolling_back', 'rolled_back'] as const),
]

/** Whether a deployment has ended; devices that come back late may still follow. */
export const isOver = (state: DeploymentState): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled' || state === 'rolled_back'

/** The states of a device in a deployment, in the order in which they are shown: what has come to an end first. */
export const deviceStates: readonly DeploymentDeviceState[] = [
  ...(['healthy', 'skipped', 'superseded', 'deployed', 'deploying', 'rolling_back', 'rolled_back', 'failed'] as const),
  ...(['deferred', 'pending'] as const),
]

type Counts = Deployment['counts']

/** How many devices are in each state, in their order; none that are in none. */
export const countsOf = (counts: Counts): [state: DeploymentDeviceState, count: number][] =>
  deviceStates.flatMap((state): [DeploymentDeviceState, number][] => {
    const count = counts[state] ?? 0
    return count > 0 ? [[state, count]] : []
  })

/** `12 healthy, 1 failed, 7 pending`. */
export const countsText = (counts: Counts): string =>
  countsOf(counts)
    .map(([state, count]) => `${countText(count)} ${wordOf(state)}`)
    .join(', ')

/** For which devices a deployment is. */
export const targetText = ({ devices, selector }: DeploymentTarget): string => {
  const which = selector ? `that match ${selector}` : ''
  if (devices) return [listText(devices, 4), which].filter((part) => part !== '').join(' ')
  return which === '' ? 'all devices' : `devices ${which}`
}

/** `a, b and c`; with more than `most`, `a, b and 7 more`. */
export const listText = (names: readonly string[], most: number): string => {
  if (names.length === 1) return names[0] ?? ''
  const shown = names.length <= most ? names.slice(0, -1) : names.slice(0, most)
  const last = names.length <= most ? (names.at(-1) ?? '') : `${countText(names.length - most)} more`
  return `${shown.join(', ')} and ${last}`
}

/** How long it will take yet, as exactly as one can know: `about 4 min left`. */
export const forecastText = (leftMs: number): string => {
  const seconds = leftMs / 1000
  if (seconds < 5) return 'about to end'
  const step = seconds < 90 ? 5 : seconds < 5400 ? 60 : 900
  return `about ${durationText(Math.max(step, Math.round(seconds / step) * step))} left`
}

/** The name of a batch. */
export const batchText = (batch: number): string => (batch === 0 ? 'Canary' : `Batch ${countText(batch)}`)

/** A count of devices, or a share of them, as a batch is given. */
export const shareText = (share: number | string): string =>
  /^\d+$/.test(String(share)) ? plural(Number(share), 'device') : `${share} of the devices`
