import type { Rollout, RolloutDevice } from '../core/rollout/rollout.ts'
import type { DeploymentRow } from '../store/deployments.ts'
import type { DesiredEntry } from '../store/desired.ts'
import { bundleOf, workloadsOf } from '../store/releases.ts'
import type { Store } from '../store/store.ts'

/** What is remembered of a device beside how far it is: what it ran before (undefined until it is touched, null for nothing), and the revision that it was told with. */
export interface TouchedDevice {
  previous: DesiredEntry | null | undefined
  revision: number | null
  /** It is to be written down. */
  isChanged: boolean
  /** Whether it was there at the last look. */
  wasThere: boolean
}

/** A deployment in which something may still happen. */
export interface LiveDeployment {
  row: DeploymentRow
  /** What a device is told when its turn has come. */
  entry: DesiredEntry
  /** The workloads that come with it. */
  workloads: readonly string[]
  rollout: Rollout
  devices: Map<string, TouchedDevice>
  /** Devices that a newer deployment of the same release has taken over, and which. */
  superseded: Map<string, string>
}

/** Reads a deployment and all its devices from the store; undefined if its release is not there. */
export const readDeployment = (store: Store, row: DeploymentRow): LiveDeployment | undefined => {
  const release = store.releases.get(row.name, row.version)
  if (!release) return undefined
  const rows = store.deployments.devices(row.deployment_id)
  const rollout = {
    ...(JSON.parse(row.rollout) as Omit<Rollout, 'devices'>), // stored from a rollout
    devices: rows.map(({ body }) => JSON.parse(body) as RolloutDevice), // the same
  }
  const env = JSON.parse(row.env) as Record<string, string> // stored from checked input
  const { min_healthy_seconds, health_timeout_seconds, auto_rollback } = rollout.strategy
  return {
    row,
    entry: {
      ...{ name: row.name, version: row.version, digest: row.digest, deployment: row.deployment_id },
      bundle: bundleOf(release),
      judge: { min_healthy_seconds, health_timeout_seconds, goes_back: auto_rollback },
      ...(Object.keys(env).length > 0 ? { env } : {}),
    },
    workloads: workloadsOf(release),
    rollout,
    superseded: store.deployments.superseding(row.deployment_id),
    devices: new Map(
      rows.map(({ device, previous, revision }): [string, TouchedDevice] => [
        device,
        {
          previous: previous === null ? undefined : (JSON.parse(previous) as DesiredEntry | null),
          revision,
          isChanged: false,
          wasThere: false,
        }, // stored from an entry
      ]),
    ),
  }
}
