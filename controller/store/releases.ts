import type { Db } from '../../base/database.ts'
import type { Bundle } from '../../schemas/release.ts'

/** A release as it is stored. Instants are milliseconds. */
export interface ReleaseRow {
  n: number
  name: string
  version: string
  digest: string
  bundle: string
  workloads: string
  files: number
  created_at: number
  created_by: string
}

export const bundleOf = (row: Pick<ReleaseRow, 'bundle'>): Bundle => JSON.parse(row.bundle) as Bundle // stored from checked input
export const workloadsOf = (row: Pick<ReleaseRow, 'workloads'>): string[] => JSON.parse(row.workloads) as string[] // stored from a list of names

/** The table of releases. */
export const createReleases = (db: Db) => {
  const put = db.prepare<Omit<ReleaseRow, 'n'>>(`
    insert into release (name, version, digest, bundle, workloads, files, created_at, created_by)
    values (@name, @version, @digest, @bundle, @workloads, @files, @created_at, @created_by)`)
  const get = db.prepare<[string, string], ReleaseRow>('select * from release where name = ? and version = ?')
  const list = db.prepare<{ name: string | null; before: number; limit: number }, ReleaseRow>(`
    select * from release where (@name is null or name = @name) and n < @before order by n desc limit @limit`)
  const all = db.prepare<[], ReleaseRow>('select * from release order by n desc')
  const remove = db.prepare<[string, string]>('delete from release where name = ? and version = ?')

  return {
    put: (row: Omit<ReleaseRow, 'n'>): void => void put.run(row),
    get: (name: string, version: string): ReleaseRow | undefined => get.get(name, version),
    /** Newest first. */
    list: (name: string | undefined, before: number | undefined, limit: number): ReleaseRow[] =>
      list.all({ name: name ?? null, before: before ?? Number.MAX_SAFE_INTEGER, limit }),
    all: (): ReleaseRow[] => all.all(),
    remove: (name: string, version: string): void => void remove.run(name, version),
  }
}
