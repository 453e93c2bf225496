import type { Clock } from '../../base/clock.ts'
import type { Desired, DesiredRelease } from '../../schemas/desired.ts'
import { instant } from '../../schemas/ids.ts'
import type { ReleaseStatement } from '../../schemas/release.ts'
import { topicOf } from '../../schemas/topics.ts'
import type { Effects } from '../effects.ts'
import type { CommandKeys } from '../identity/command-keys.ts'
import type { DesiredEntry } from '../store/desired.ts'
import type { Store } from '../store/store.ts'

export interface DesiredDeps {
  fleetName: string
  store: Store
  effects: Effects
  keys: CommandKeys
  epoch: () => number
  clock: Clock
}

/** What each device is to run: kept with a revision that only rises, signed, and left at the broker. */
export const createDesired = ({ fleetName, store, effects, keys, epoch, clock }: DesiredDeps) => {
  /** Which bundles a device may have, by device; read when somebody asks. */
  const bundles = new Map<string, Set<string>>()

  const signed = (entry: DesiredEntry): DesiredRelease => {
    const { name, version, digest, bundle } = entry
    const statement: ReleaseStatement = { name, version, digest, bundle }
    return { ...entry, signature: keys.newest().sign('skein-release', JSON.stringify(statement), { withKey: true }) }
  }

  /** Inside a transaction: the message goes out after the commit. */
  const tell = (device: string): void => {
    const desired: Desired = {
      fleet: fleetName,
      device,
      revision: store.desired.revision(device),
      epoch: epoch(),
      at: instant(clock.now()),
      releases: store.desired.of(device).map(signed),
    }
    const jws = keys.newest().sign('skein-desired', JSON.stringify(desired), { withKey: true })
    effects.message(topicOf(fleetName, 'deviceDesired', { device }), JSON.stringify(jws), true)
  }

  const raise = (device: string): number => {
    const revision = store.desired.revision(device) + 1
    store.desired.setRevision(device, revision)
    bundles.delete(device)
    tell(device)
    return revision
  }

  return {
    /** Inside a transaction: the device is to run this; gives the revision that says so. */
    put: (device: string, entry: DesiredEntry): number => {
      store.desired.put(device, entry)
      return raise(device)
    },
    /** Inside a transaction: the device is to run nothing of that name. */
    remove: (device: string, name: string): number => {
      store.desired.remove(device, name)
      return raise(device)
    },
    /** Inside a transaction: a device has said hello. Gives the revision that it is to have. */
    welcomed: (device: string, seen: number): number => {
      const known = store.desired.revision(device)
      // Our database is older than what it was told once: what holds now must not look old to it.
      if (seen > known) {
        store.desired.setRevision(device, seen)
        return raise(device)
      }
      // A broker may have forgotten what it was to keep.
      if (seen < known) tell(device)
      return known
    },
    /** Inside a transaction: the device has left the fleet. */
    left: (device: string): void => {
      store.desired.removeAll(device)
      bundles.delete(device)
    },
    /** Whether a device is to run, or was just told to run, what is in this bundle. */
    mayHave: (device: string, sha256: string): boolean => {
      let own = bundles.get(device)
      if (!own) {
        own = new Set(store.desired.of(device).map(({ bundle }) => bundle.sha256))
        bundles.set(device, own)
      }
      return own.has(sha256)
    },
    /** The work of a commit was undone: what was read meanwhile may be wrong. */
    forget: (): void => bundles.clear(),
  }
}
export type DesiredKeeping = ReturnType<typeof createDesired>
