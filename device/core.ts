import type { Bus } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import { startGroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { Journal } from './journal.ts'
import { createLink } from './link.ts'
import type { Runner } from './runner.ts'
import { createSupervisor } from './supervisor.ts'

export interface DeviceCoreDeps {
  name: string
  fleet: string
  bus: Bus
  journal: Journal
  runner: Runner
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  version: string
  labels: () => Record<string, string>
  capacity: number
  metrics: () => Record<string, unknown>
  spoolBudget: () => number
}

/** A device over its journal, its runner and its bus: what a daemon is, and what a simulation runs by the dozen. */
export const createDeviceCore = (deps: DeviceCoreDeps) => {
  const { journal, clock, log, boot } = deps
  const commits = startGroupCommit(journal.db, clock, {
    failed: (error) => {
      log.error({ err: error }, 'cannot write the journal')
      journal.forgetUncommitted()
    },
  })
  const supervisor = createSupervisor({
    device: deps.name,
    fleet: deps.fleet,
    journal,
    commits,
    runner: deps.runner,
    clock,
    log,
    boot,
    controllerNow: () => link.controllerNow(),
    wake: () => link.wake(),
    isFlowing: () => link.isFlowing(),
    spoolBudget: deps.spoolBudget,
  })
  const link = createLink({
    fleet: deps.fleet,
    device: deps.name,
    bus: deps.bus,
    journal,
    commits,
    clock,
    chance: deps.chance,
    log,
    boot,
    version: deps.version,
    labels: deps.labels,
    capacity: deps.capacity,
    metrics: deps.metrics,
    running: supervisor.running,
    wantsAnswer: supervisor.wantsAnswer,
    orders: supervisor.orders,
    cancels: supervisor.cancels,
    unwanted: supervisor.unwanted,
    acknowledged: supervisor.acknowledged,
  })

  return {
    start: async (): Promise<void> => {
      supervisor.recover()
      await link.start()
    },
    supervisor,
    link,
    flush: commits.flush,
    /** Everything this device runs ends, and is journalled. */
    shutdown: async (): Promise<void> => {
      link.leave()
      await supervisor.shutdown()
      commits.flush()
    },
    /** Says that the device leaves. */
    farewell: (): void => {
      link.close('shutdown')
      supervisor.release()
    },
    /** The daemon goes without a word and without touching what runs. */
    abandon: (): void => {
      link.abandon()
      supervisor.release()
    },
  }
}
export type DeviceCore = ReturnType<typeof createDeviceCore>
