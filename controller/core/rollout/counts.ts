import type { DeploymentDeviceState } from '../../../schemas/deployment.ts'
import type { Rollout } from './rollout.ts'

/** How many devices are in which state. */
export const countsOf = ({ devices }: Rollout): Partial<Record<DeploymentDeviceState, number>> => {
  const counts: Partial<Record<DeploymentDeviceState, number>> = {}
  for (const { state } of devices) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

/** How many batches there are, the canary included. */
export const batchesOf = ({ devices }: Rollout): number =>
  new Set(devices.flatMap(({ batch }) => (batch === null ? [] : [batch]))).size
