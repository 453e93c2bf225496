import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { cancelUnconfirmedAfterMs, leaseVerdict, resendAfterMs, silentAfterMs } from './core/leases.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice, Lease } from './fleet.ts'
import type { GiveUp } from './giving-up.ts'
import type { Store } from './store/store.ts'

export interface WatchDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  dispatcher: Dispatcher
  commits: GroupCommit
  clock: Clock
  log: Log
  heartbeatMs: number
  isConnected: () => boolean
  giveUp: GiveUp
}

/** How long a silent device is shown as stale before it is given up. */
const givenUpAfterMs = 300_000
/** Even if a cause was missed, what can be dispatched is, within this time. */
const fullPassEveryMs = 5000

/**
 * What time alone brings about: leases that age, cancels that nobody confirms, retries that come due, tasks that expire, commands
 * that were not answered. Looked at once a second; while there is no connection nothing ages.
 */
export const createWatch = (deps: WatchDeps) => {
  const { store, fleet, effects, execution, dispatcher, commits, clock, log, heartbeatMs } = deps
  let lastFullPass = clock.mono()

  const look = (lease: Lease): void => {
    const { run } = lease
    const age = clock.mono() - lease.namedAtMono
    if (
      run.cancel_requested_at !== null &&
      !isRunOver(run.state) &&
      clock.mono() - lease.cancelAtMono >= cancelUnconfirmedAfterMs
    ) {
      return execution.end(run, 'cancelled', 'cancelled, not confirmed by the device yet', 0)
    }
    if (!isRunOver(run.state)) {
      const verdict = leaseVerdict(age, heartbeatMs, lease.lostAfterMs)
      if (verdict === 'lost') return execution.end(run, 'lost', `nothing heard of it for ${Math.round(age / 1000)} s`, null)
      if (verdict === 'unknown' && run.state !== 'unknown') execution.doubt(run)
    }
    sendAgain(lease)
  }

  const sendAgain = (lease: Lease): void => {
    const device = fleet.devices.get(lease.run.device)
    if (!device?.isReady || clock.mono() < lease.sendAtMono) return
    if (lease.run.cancel_requested_at !== null) effects.cancel(lease.run.device, lease.run.run_id)
    else if (lease.run.accepted_at === null && !isRunOver(lease.run.state)) execution.orderAgain(lease.run)
    else return
    lease.sends += 1
    lease.sendAtMono = clock.mono() + resendAfterMs(lease.sends)
  }

  const isGivenUp = (device: FleetDevice): boolean =>
    clock.mono() - device.heardAtMono >= silentAfterMs(heartbeatMs) + givenUpAfterMs

  return {
    /** Nobody was listening: every lease and every silence begins now. */
    startAnew: (): void => {
      for (const lease of fleet.leases.values()) lease.namedAtMono = clock.mono()
      for (const device of fleet.devices.values()) device.heardAtMono = clock.mono()
    },
    tick: (): void => {
      if (!deps.isConnected()) return
      // Chosen here, because the work may be done twice, and then they are not connected any more.
      const silent = [...fleet.devices.values()].filter((device) => device.isConnected && isGivenUp(device))
      commits
        .run(() => {
          const now = clock.now()
          for (const lease of [...fleet.leases.values()]) look(lease)
          for (const device of silent)
            if (fleet.devices.get(device.row.name) === device && isGivenUp(device))
              deps.giveUp(device, 'given up by the controller')
          for (const waiting of store.queue.expired(now)) execution.expire(waiting)
          for (const waiting of store.queue.due(now)) {
            store.queue.wake(waiting.id)
            fleet.addWaiting(waiting.lane, 1)
            dispatcher.laneHasMore(waiting.lane)
          }
          if (clock.mono() - lastFullPass >= fullPassEveryMs) {
            lastFullPass = clock.mono()
            dispatcher.all()
          }
        })
        .catch((error: unknown) =>
          log.error({ err: error }, 'what time brought about could not be stored; tried again in a second'),
        )
    },
  }
}
