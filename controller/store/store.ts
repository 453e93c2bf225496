import { openSound } from '../../base/damage.ts'
import { type Db, openDatabase } from '../../base/database.ts'
import { createApprovals } from './approvals.ts'
import { createDeployments } from './deployments.ts'
import { createDesiredTable } from './desired.ts'
import { createDeviceMetrics } from './device-metrics.ts'
import { createDevices } from './devices.ts'
import { createEnded } from './ended.ts'
import { createJoinings } from './joinings.ts'
import { createLogs } from './logs.ts'
import { createMeta } from './meta.ts'
import first from './migrations/001.sql'
import second from './migrations/002.sql'
import third from './migrations/003.sql'
import fourth from './migrations/004.sql'
import fifth from './migrations/005.sql'
import sixth from './migrations/006.sql'
import seventh from './migrations/007.sql'
import eighth from './migrations/008.sql'
import ninth from './migrations/009.sql'
import logsFirst from './migrations/logs-001.sql'
import logsBytes from './migrations/logs-002.sql'
import logsRemoved from './migrations/logs-003.sql'
import logsMetrics from './migrations/logs-004.sql'
import { createQueue } from './queue.ts'
import { createReleases } from './releases.ts'
import { repair } from './repair.ts'
import { createReportedTable } from './reported.ts'
import { createRuns } from './runs.ts'
import { createTasks } from './tasks.ts'
import { createThroughput } from './throughput.ts'
import { createTokens } from './tokens.ts'

export const migrations = [
  { number: 1, sql: first },
  { number: 2, sql: second },
  { number: 3, sql: third },
  { number: 4, sql: fourth },
  { number: 5, sql: fifth },
  { number: 6, sql: sixth },
  { number: 7, sql: seventh },
  { number: 8, sql: eighth },
  { number: 9, sql: ninth },
]
export const logMigrations = [
  { number: 1, sql: logsFirst },
  { number: 2, sql: logsBytes },
  { number: 3, sql: logsRemoved },
  { number: 4, sql: logsMetrics },
]

/** Opens the controller's two databases: what it decides by, and the logs with the metrics of devices. `:memory:` serves for simulations. */
export const openStore = (file: string, logFile: string) => {
  const db = openDatabase(file, migrations)
  const logDb = openDatabase(logFile, logMigrations)
  return storeOver(db, logDb)
}

/** The same over files that may be broken. What is found and done about it is told. */
export const openSoundStore = (file: string, logFile: string, now: number) => {
  const main = openSound(file, migrations, { now, repair: (db) => repair(db, now) })
  const logs = openSound(logFile, logMigrations, { now })
  return { store: storeOver(main.db, logs.db), damage: [main.damage, logs.damage].filter((one) => one !== null) }
}

export const storeOver = (db: Db, logDb: Db) => ({
  db,
  logDb,
  meta: createMeta(db),
  tasks: createTasks(db),
  runs: createRuns(db),
  queue: createQueue(db),
  ended: createEnded(db),
  throughput: createThroughput(db),
  devices: createDevices(db),
  reported: createReportedTable(db),
  tokens: createTokens(db),
  joinings: createJoinings(db),
  approvals: createApprovals(db),
  releases: createReleases(db),
  desired: createDesiredTable(db),
  deployments: createDeployments(db),
  logs: createLogs(logDb),
  deviceMetrics: createDeviceMetrics(logDb),
  close: () => {
    logDb.close()
    db.close()
  },
})
export type Store = ReturnType<typeof storeOver>
