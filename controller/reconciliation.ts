import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Hello, Welcome } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { runOfSource, sourceOf } from '../schemas/sources.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import { cursorOf } from './acknowledgements.ts'
import { createAdoption } from './adoption.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { Store } from './store/store.ts'

export interface ReconciliationDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  clock: Clock
  log: Log
  heartbeatMs: number
  isFromOldCopy: () => boolean
  credentialsFor: (device: FleetDevice, hello: Hello) => WelcomeCredentials
  /** The revision that a device is to have which has seen this one. */
  desiredFor: (device: string, seen: number) => number
}

/** The part of a welcome that trust rests on: the keys that hold, the epoch as it was signed, and a new token when it is time. */
export type WelcomeCredentials = Pick<Welcome, 'keys' | 'proof' | 'token'>

/** What a hello brings about: device and controller compare what each knows of the other's runs. Runs inside a transaction. */
export const createReconciliation = (deps: ReconciliationDeps) => {
  const { store, fleet, effects, execution, clock, log, heartbeatMs, isFromOldCopy } = deps
  const adopt = createAdoption({ store, fleet, effects, execution, clock })

  /** The device has a new memory: nothing that the old one had will ever be heard of again, and must not be sent again. */
  const loseJournal = (device: FleetDevice, journal: string): void => {
    store.devices.retireJournal(device.row.name, journal)
    for (const id of [...device.live]) {
      const lease = fleet.leases.get(id)
      if (!lease) continue
      if (isRunOver(lease.run.state)) {
        const confirmed = { ...lease.run, confirmed: 1 }
        store.runs.update(confirmed)
        fleet.release(confirmed)
      } else if (lease.run.cancel_requested_at !== null) execution.end(lease.run, 'cancelled', 'journal_lost', 1)
      else execution.end(lease.run, 'lost', 'journal_lost', null)
    }
    log.warn({ device: device.row.name }, 'device has a new journal')
  }

  /** Compares what the device has with what we think it has; sends again what it never got. */
  const welcome = (device: FleetDevice, hello: Hello): Welcome => {
    const name = device.row.name
    const has = new Set(hello.runs.map((one) => one.run))
    const live = new Set(hello.runs.filter((one) => !isRunOver(one.state)).map((one) => one.run))
    const unwanted: string[] = []
    const foreign = new Set<string>()
    const cancels: string[] = []
    for (const one of hello.runs) {
      const lease = fleet.leases.get(one.run)
      if (lease && lease.run.device === name) {
        lease.namedAtMono = clock.mono()
        execution.trust(lease.run)
        continue
      }
      const run = store.runs.get(one.run)
      // Not its own, or not any more: it is to stop, and what it has to tell is not heard.
      const isItsOwn = run ? run.device === name : adopt(device, one, live)
      if (!isItsOwn) foreign.add(one.run)
      else if (run && isRunOver(run.state)) {
        const task = store.tasks.get(run.task_id)
        const isSuperseded = !task || isTaskOver(task.state) || task.attempt > run.attempt
        if (run.state === 'cancelled') cancels.push(run.run_id)
        else if (isSuperseded && task && task.attempt > run.attempt) unwanted.push(run.run_id)
      }
    }
    // Of a run that ended there its device may have had the word acknowledged by the database that we were restored from.
    const ended = new Set(hello.runs.filter((one) => isRunOver(one.state)).map((one) => one.run))
    for (const id of device.live) {
      const lease = fleet.leases.get(id)
      if (!lease) continue
      if (lease.run.cancel_requested_at !== null) cancels.push(id)
      else if (!has.has(id) && isFromOldCopy() && !isRunOver(lease.run.state))
        execution.end(lease.run, 'lost', 'restored: it may have run since the backup was made', null)
      else if ((!has.has(id) || ended.has(id)) && !isRunOver(lease.run.state)) execution.orderAgain(lease.run)
    }
    const cursors: Record<string, number> = {}
    for (const [stream, last] of Object.entries(hello.streams)) {
      // A log that nobody will ever take is acknowledged unread: the device would keep it for good.
      const isUnread = foreign.has(runOfSource(sourceOf(stream) ?? ''))
      cursors[stream] = isUnread ? last : cursorOf(store, device, stream)
    }
    return {
      nonce: hello.nonce,
      at: instant(clock.now()),
      cursors,
      wanted: hello.runs.map((one) => one.run).filter((run) => fleet.leases.get(run)?.run.device === name),
      unwanted: [...unwanted, ...foreign],
      cancels: [...new Set(cancels)],
      heartbeat_seconds: heartbeatMs / 1000,
      revision: deps.desiredFor(name, hello.revision),
      ...deps.credentialsFor(device, hello),
    }
  }

  return { loseJournal, welcome }
}
export type Reconciliation = ReturnType<typeof createReconciliation>
