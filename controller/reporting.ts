import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { instant } from '../schemas/ids.ts'
import type { Reported } from '../schemas/workload-status.ts'
import { changesBetween, isNews, isSame } from './core/reported.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { Store } from './store/store.ts'

export interface ReportingDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  commits: GroupCommit
  clock: Clock
  /** What a device reports has changed. */
  changed: (device: string) => void
}

/** Takes in what devices report of their workloads: keeps the newest word of each, and tells what has changed. */
export const createReporting = ({ store, fleet, effects, commits, clock, changed }: ReportingDeps) => {
  /** The broker keeps the last word of a device that has left, so it is no sign of life. */
  const take = (name: string, reported: Reported): void => {
    const device = fleet.devices.get(name)
    if (!device || !isNews(device.reported, device.row.journal, reported)) return
    const before = device.reported
    device.reported = { ...reported, at: instant(Math.min(clock.now(), Date.parse(reported.at))) }
    if (isSame(before, reported)) return
    store.reported.put(name, device.reported)
    changed(name)
    for (const { name: workload, ...change } of changesBetween(before, reported)) {
      const type = /^[a-z_]+$/.test(change.state) ? change.state : 'changed'
      effects.event('workload', `skein.workload.${type}`, `${name}/${workload}`, { device: name, name: workload, ...change })
    }
  }

  return (name: string, reported: Reported): Promise<void> | void => {
    const device = fleet.devices.get(name)
    if (!device || !isNews(device.reported, device.row.journal, reported)) return undefined
    // What changes all the time is worth no commit.
    if (isSame(device.reported, reported)) return take(name, reported)
    return commits.run(() => take(name, reported))
  }
}
