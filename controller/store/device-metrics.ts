import type { Db } from '../../base/database.ts'

/** The figures of a device in one hour; of an hour that is known in part the other part may come later. */
export interface MetricsRow {
  hour: number
  device: string
  minutes: Uint8Array
}

/** About what a row takes beside its name. */
const rowBytes = 300

/** The table of how busy devices were, hour by hour. */
export const createDeviceMetrics = (db: Db) => {
  const get = db.prepare<[number, string], { minutes: Uint8Array }>(
    'select minutes from device_metrics where hour = ? and device = ?',
  )
  const put = db.prepare<[number, string, Uint8Array]>(
    'insert into device_metrics (hour, device, minutes) values (?, ?, ?) on conflict do update set minutes = excluded.minutes',
  )
  const chop = db.prepare<[number, number]>(`
    delete from device_metrics
    where (hour, device) in (select hour, device from device_metrics where hour < ? order by hour, device limit ?)`)
  const next = db.prepare<[number], { hour: number | null }>('select min(hour) as hour from device_metrics where hour > ?')
  const remove = db.prepare<[number, string]>('delete from device_metrics where hour = ? and device = ?')
  const bytes = db.prepare<[], { bytes: number }>(`select total(length(device) + ${rowBytes}) as bytes from device_metrics`)

  return {
    get: (hour: number, device: string): Uint8Array | undefined => get.get(hour, device)?.minutes,
    put: ({ hour, device, minutes }: MetricsRow): void => {
      put.run(hour, device, minutes)
    },
    /** Removes what is older than an hour, at most so many rows of it. Gives how many. */
    removeBefore: (hour: number, most: number): number => chop.run(hour, most).changes,
    /** Removes what there is of a device, of the hours behind one, a number of them at a time. Gives the hour to go on behind; undefined at the end. */
    removeDevice: (device: string, behind: number, mostHours: number): number | undefined => {
      let hour: number | undefined = behind
      for (let i = 0; i < mostHours && hour !== undefined; i++) {
        hour = next.get(hour)?.hour ?? undefined
        if (hour !== undefined) remove.run(hour, device)
      }
      return hour
    },
    /** About what the table takes of its database. It is read from end to end for that. */
    bytes: (): number => bytes.get()?.bytes ?? 0,
  }
}
export type DeviceMetrics = ReturnType<typeof createDeviceMetrics>
