import type { GroupCommit } from '../base/group-commit.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { topicOf } from '../schemas/topics.ts'
import type { Asker } from './asking.ts'
import { deviceLane } from './core/lanes.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { Revocations } from './identity/revocations.ts'
import type { DeviceRow } from './store/devices.ts'
import type { Store } from './store/store.ts'
import type { Views } from './views.ts'

export interface DeviceOperationsDeps {
  fleetName: string
  store: Store
  fleet: Fleet
  execution: Execution
  views: Views
  commits: GroupCommit
  effects: Effects
  revocations: Revocations
  /** It is leaving the fleet: within that transaction. */
  leaving: (device: string) => void
  /** It is not in the fleet any more. */
  left: (device: string) => void
  /** The device may have room, or match, now. */
  roomFor: (device: string) => void
}

/** What people do with a device: drain it, put labels on it, take it out of the fleet. */
export const deviceOperations = (deps: DeviceOperationsDeps) => {
  const { store, fleet, effects, commits, views } = deps

  const withDevice = (name: string, use: (device: FleetDevice) => Outcome<unknown>): Promise<Outcome<unknown>> =>
    commits.run(() => {
      const device = fleet.devices.get(name)
      return device ? use(device) : refused('not_found', `no device named "${name}" has joined`)
    })

  const change = (asker: Asker, device: FleetDevice, what: string, fields: Partial<DeviceRow>): Outcome<unknown> => {
    const row = { ...device.row, ...fields }
    store.devices.update(row)
    fleet.setFacts(device, row)
    effects.event('device', `skein.device.${what}`, row.name, { device: row.name, by: asker.subject, labels: device.labels })
    deps.roomFor(row.name)
    return accepted(views.device(device))
  }

  return {
    'device.drain': (asker, { device }) => withDevice(device, (one) => change(asker, one, 'drained', { drained: 1 })),
    'device.undrain': (asker, { device }) => withDevice(device, (one) => change(asker, one, 'undrained', { drained: 0 })),
    'device.label': (asker, input) =>
      withDevice(input.device, (device) => {
        const labels = { ...(JSON.parse(device.row.own_labels) as Record<string, string>), ...input.set } // stored here, from checked input
        for (const key of input.remove) delete labels[key]
        return change(asker, device, 'labelled', { own_labels: JSON.stringify(labels) })
      }),
    'device.remove': (asker, input) =>
      withDevice(input.device, (device) => {
        const { name } = device.row
        const live = [...device.live].flatMap((id) => fleet.leases.get(id)?.run ?? []).filter((run) => !isRunOver(run.state))
        if (live.length > 0 && !input.force) {
          const runs = live.map((run) => run.run_id).join(', ')
          return refused('conflict', `"${name}" has work: ${runs}; drain it and wait, or use force, which gives the runs up`, [
            { field: 'device', code: 'busy', message: `has ${live.length} runs` },
          ])
        }
        for (const run of live) deps.execution.end(run, 'lost', 'device_removed', null)
        for (const id of [...device.live]) {
          const lease = fleet.leases.get(id)
          if (lease) fleet.release(lease.run)
        }
        for (const waiting of store.queue.ofLane(deviceLane(name))) deps.execution.drop(waiting, 'device_removed')
        store.devices.update({
          ...device.row,
          removed: 1,
          drained: 0,
          own_labels: '{}',
          sign_key: null,
          seal_key: null,
          journal: null,
        })
        store.reported.remove(name)
        deps.leaving(name)
        fleet.leave(name)
        deps.revocations.revoke(store.tokens.live(name).map((row) => row.jti))
        // Nothing of it is left at the broker: an empty message deletes what was retained.
        for (const topic of ['deviceState', 'deviceInfo', 'deviceDesired', 'deviceReported'] as const)
          effects.message(topicOf(deps.fleetName, topic, { device: name }), '', true)
        effects.event('device', 'skein.device.removed', name, { device: name, by: asker.subject })
        return accepted({ device: name, removed: true, lost: live.map((run) => run.run_id) })
      }).then((outcome) => {
        if (outcome.ok) deps.left(input.device)
        return outcome
      }),
  } satisfies Partial<Handlers>
}
