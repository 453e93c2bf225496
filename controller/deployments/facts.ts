import type { ReportedRelease } from '../../schemas/desired.ts'
import type { DeviceFacts } from '../core/rollout/rollout.ts'
import type { Fleet } from '../fleet.ts'
import type { DesiredEntry } from '../store/desired.ts'
import { workloadsOf } from '../store/releases.ts'
import type { Store } from '../store/store.ts'
import type { LiveDeployment } from './live-deployment.ts'

/** What the core of a rollout asks about devices, read from the fleet and the store. */
export const createFacts = (fleet: Fleet, store: Store) => {
  const reportedOf = (device: string, name: string): ReportedRelease | null =>
    fleet.devices.get(device)?.reported?.releases?.find((one) => one.name === name) ?? null

  /** Names of workloads that a release would bring and that the device has from elsewhere. */
  const clash = (device: string, name: string, workloads: readonly string[]): string | null => {
    const others = new Map<string, string>()
    for (const one of fleet.devices.get(device)?.reported?.workloads ?? [])
      if (one.origin.split('@')[0] !== name) others.set(one.name, one.origin === 'local' ? 'the device itself' : one.origin)
    for (const entry of store.desired.of(device)) {
      if (entry.name === name) continue
      const release = store.releases.get(entry.name, entry.version)
      for (const workload of release ? workloadsOf(release) : []) others.set(workload, `${entry.name}@${entry.version}`)
    }
    const taken = workloads.find((one) => others.has(one))
    return taken === undefined ? null : `its workload "${taken}" belongs to ${others.get(taken)}`
  }

  /** What a device was told to run and is known to have run well; what a half-done deployment has written does not count. */
  const goodEntry = (device: string, name: string): DesiredEntry | null => {
    const entry = store.desired.get(device, name)
    if (!entry) return null
    const reported = reportedOf(device, name)
    const isGood = reported?.active?.digest === entry.digest && reported.state === 'healthy'
    if (isGood) return entry
    const before = store.deployments.device(entry.deployment.replace(/-back-\d+$/, ''), device)?.previous
    return before === undefined || before === null ? entry : (JSON.parse(before) as DesiredEntry | null) // stored from an entry
  }

  const isThere = (name: string): boolean => {
    const device = fleet.devices.get(name)
    return device?.isReady === true && !fleet.isSilent(device)
  }

  return {
    reportedOf,
    /** Whether a device can be told something now. */
    isThere,
    clash,
    goodEntry,
    of: ({ row, workloads, devices, superseded }: LiveDeployment, name: string): DeviceFacts => {
      const device = fleet.devices.get(name)
      const about = devices.get(name)
      const reported = reportedOf(name, row.name)
      return {
        isMember: device !== undefined,
        isConnected: isThere(name),
        labels: device?.labels ?? {},
        reported,
        isInformed:
          about?.revision !== null && about?.revision !== undefined && (device?.reported?.revision ?? -1) >= about.revision,
        supersededBy: superseded.get(name) ?? null,
        previousDigest: about?.previous === undefined ? undefined : (about.previous?.digest ?? null),
        // Asked only when its turn has come: it is the dearest of them.
        get blockedBy() {
          return clash(name, row.name, workloads)
        },
      }
    },
  }
}
export type Facts = ReturnType<typeof createFacts>
