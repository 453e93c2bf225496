import type { Db } from '../../base/database.ts'
import { Reported } from '../../schemas/workload-status.ts'

/** The table of what devices have reported last. */
export const createReportedTable = (db: Db) => {
  const get = db.prepare<[string], { body: string }>('select body from device_reported where device = ?')
  const put = db.prepare<[string, string]>('insert or replace into device_reported (device, body) values (?, ?)')
  const remove = db.prepare<[string]>('delete from device_reported where device = ?')
  return {
    get: (device: string): Reported | null => {
      const row = get.get(device)
      // Stored from a checked message; one of an older form is reported again by its device.
      return row ? (Reported.safeParse(JSON.parse(row.body)).data ?? null) : null
    },
    put: (device: string, reported: Reported): void => {
      put.run(device, JSON.stringify(reported))
    },
    remove: (device: string): void => {
      remove.run(device)
    },
  }
}
