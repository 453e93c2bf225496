import { type Db, openDatabase } from '../../base/database.ts'
import { createDevices } from './devices.ts'
import { createLogs } from './logs.ts'
import { createMeta } from './meta.ts'
import first from './migrations/001.sql'
import logsFirst from './migrations/logs-001.sql'
import { createQueue } from './queue.ts'
import { createRuns } from './runs.ts'
import { createTasks } from './tasks.ts'
import { createTokens } from './tokens.ts'

/** Opens the controller's two databases: what it decides by, and the logs. `:memory:` serves for simulations. */
export const openStore = (file: string, logFile: string) => {
  const db = openDatabase(file, [{ number: 1, sql: first }])
  const logDb = openDatabase(logFile, [{ number: 1, sql: logsFirst }])
  return storeOver(db, logDb)
}

export const storeOver = (db: Db, logDb: Db) => ({
  db,
  logDb,
  meta: createMeta(db),
  tasks: createTasks(db),
  runs: createRuns(db),
  queue: createQueue(db),
  devices: createDevices(db),
  tokens: createTokens(db),
  logs: createLogs(logDb),
  close: () => {
    logDb.close()
    db.close()
  },
})
export type Store = ReturnType<typeof storeOver>
