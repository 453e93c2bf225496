import type { Db } from '../../base/database.ts'

/** A device as it is stored. */
export interface DeviceRow {
  name: string
  joined_at: number
  journal: string | null
  session: number
  cursor: number
  labels: string
  capacity: number
  version: string | null
  last_seen_at: number | null
  drained: number
  removed: number
  /** Labels that people put on it, JSON. */
  own_labels: string
  /** Its public keys as JWK, JSON; null as long as it has not shown any. */
  sign_key: string | null
  seal_key: string | null
}

/** The tables of devices and of the journals that they no longer have. */
export const createDevices = (db: Db) => {
  const all = db.prepare<[], DeviceRow>('select * from device where removed = 0')
  const get = db.prepare<[string], DeviceRow>('select * from device where name = ?')
  const join = db.prepare<[string, number]>(
    'insert into device (name, joined_at) values (?, ?) on conflict (name) do update set removed = 0',
  )
  const update = db.prepare<DeviceRow>(`
    update device set journal = @journal, session = @session, cursor = @cursor, labels = @labels, capacity = @capacity, version = @version,
      last_seen_at = @last_seen_at, drained = @drained, removed = @removed,
      own_labels = @own_labels, sign_key = @sign_key, seal_key = @seal_key where name = @name`)
  const cursor = db.prepare<[number, string]>('update device set cursor = ? where name = ?')
  const seen = db.prepare<[number, string]>('update device set last_seen_at = ? where name = ?')
  const retire = db.prepare<[string, string]>('insert or ignore into retired_journal (device, journal) values (?, ?)')
  const retired = db.prepare<[string, string], { journal: string }>(
    'select journal from retired_journal where device = ? and journal = ?',
  )

  return {
    all: (): DeviceRow[] => all.all(),
    get: (name: string): DeviceRow | undefined => get.get(name),
    join: (name: string, now: number): void => {
      join.run(name, now)
    },
    update: (row: DeviceRow): void => {
      update.run(row)
    },
    setCursor: (name: string, seq: number): void => {
      cursor.run(seq, name)
    },
    setSeen: (name: string, at: number): void => {
      seen.run(at, name)
    },
    retireJournal: (name: string, journal: string): void => {
      retire.run(name, journal)
    },
    isRetired: (name: string, journal: string): boolean => retired.get(name, journal) !== undefined,
  }
}
export type Devices = ReturnType<typeof createDevices>
