import type { Db } from '../../base/database.ts'

/** Single values that the controller keeps. */
export const createMeta = (db: Db) => {
  const get = db.prepare<[string], { value: string }>('select value from meta where key = ?')
  const set = db.prepare<[string, string]>(
    'insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
  )
  const remove = db.prepare<[string]>('delete from meta where key = ?')
  return {
    remove: (key: string): void => {
      remove.run(key)
    },
    get: (key: string): string | undefined => get.get(key)?.value,
    set: (key: string, value: string): void => {
      set.run(key, value)
    },
  }
}
export type Meta = ReturnType<typeof createMeta>
