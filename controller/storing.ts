import type { Clock } from '../base/clock.ts'
import { isDamage } from '../base/damage.ts'
import { touch } from '../base/database.ts'
import { startGroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { createRecovery } from '../base/recovery.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'

export interface StoringDeps {
  store: Store
  fleet: Fleet
  dispatcher: Dispatcher
  effects: Effects
  metrics: Metrics
  clock: Clock
  log: Log
  /** A database is broken, and cannot be gone on with. */
  damaged: (database: 'controller' | 'logs', error: unknown) => void
  /** What was derived in memory from what is stored is void. */
  voided: () => void
  /** It can be stored again: devices are to say hello, and to send again what was not stored. */
  recovered: () => void
}

/**
 * The commits of both databases, with what belongs to each: before one what waits is dispatched, after it what it has changed becomes
 * known. When one fails, nothing stays in memory that is not stored, and it is tried until there is room again.
 */
export const startStoring = ({ store, fleet, dispatcher, effects, metrics, clock, log, ...deps }: StoringDeps) => {
  const recovered = (): void => {
    log.warn('it can be stored again; devices say hello, and send again what was not')
    deps.recovered()
  }
  const recovery = createRecovery({ clock, probe: () => commits.run(() => undefined), recovered })
  const logRecovery = createRecovery({ clock, probe: () => logCommits.run(() => undefined), recovered })
  /** What the store keeps at hand may not be what is stored. */
  const forget = () => {
    store.tasks.forget()
    store.tokens.forget()
    deps.voided()
  }
  /** Nothing of a group is stored: what it had brought about in memory is void. */
  const readAnew = () => {
    effects.clear()
    forget()
    fleet.reload()
    dispatcher.all()
  }
  const commits = startGroupCommit(store.db, clock, {
    before: () => {
      if (recovery.isFailing()) touch(store.db)
      dispatcher.pass()
    },
    committed: (ms, pieces) => {
      effects.perform()
      metrics.committed(ms, pieces)
      recovery.succeeded()
    },
    undone: forget,
    again: readAnew,
    failed: (error) => {
      if (isDamage(error)) return deps.damaged('controller', error)
      log.error({ err: error }, 'cannot commit; nothing of this group is stored')
      metrics.commitFailed('controller')
      recovery.failed()
      readAnew()
    },
  })
  const logCommits = startGroupCommit(store.logDb, clock, {
    before: () => {
      if (logRecovery.isFailing()) touch(store.logDb)
    },
    committed: logRecovery.succeeded,
    failed: (error) => {
      if (isDamage(error)) return deps.damaged('logs', error)
      log.error({ err: error }, 'cannot store log lines; devices keep them')
      metrics.commitFailed('logs')
      logRecovery.failed()
    },
  })
  return {
    commits,
    logCommits,
    close: (): void => {
      recovery.close()
      logRecovery.close()
      commits.flush()
      logCommits.flush()
    },
  }
}
