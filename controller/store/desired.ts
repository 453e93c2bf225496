import type { Db } from '../../base/database.ts'
import type { DesiredRelease } from '../../schemas/desired.ts'

/** An entry without what is made anew each time that it is told. */
export type DesiredEntry = Pick<DesiredRelease, 'name' | 'version' | 'digest' | 'bundle' | 'deployment' | 'judge' | 'env'>

/** The tables of what devices are to run. */
export const createDesiredTable = (db: Db) => {
  const of = db.prepare<[string], { entry: string }>('select entry from desired where device = ? order by name')
  const get = db.prepare<[string, string], { entry: string }>('select entry from desired where device = ? and name = ?')
  const put = db.prepare<[string, string, string]>('insert or replace into desired (device, name, entry) values (?, ?, ?)')
  const remove = db.prepare<[string, string]>('delete from desired where device = ? and name = ?')
  const removeAll = db.prepare<[string]>('delete from desired where device = ?')
  const all = db.prepare<[], { device: string; entry: string }>('select device, entry from desired')
  const revision = db.prepare<[string], { revision: number }>('select revision from desired_revision where device = ?')
  const setRevision = db.prepare<[string, number]>('insert or replace into desired_revision (device, revision) values (?, ?)')
  const read = ({ entry }: { entry: string }): DesiredEntry => JSON.parse(entry) as DesiredEntry // stored from an entry

  return {
    of: (device: string): DesiredEntry[] => of.all(device).map(read),
    get: (device: string, name: string): DesiredEntry | undefined => {
      const row = get.get(device, name)
      return row && read(row)
    },
    put: (device: string, entry: DesiredEntry): void => void put.run(device, entry.name, JSON.stringify(entry)),
    remove: (device: string, name: string): void => void remove.run(device, name),
    removeAll: (device: string): void => void removeAll.run(device),
    all: (): { device: string; entry: DesiredEntry }[] => all.all().map((row) => ({ device: row.device, entry: read(row) })),
    /** 0 for a device that was never told anything. */
    revision: (device: string): number => revision.get(device)?.revision ?? 0,
    setRevision: (device: string, to: number): void => void setRevision.run(device, to),
  }
}
