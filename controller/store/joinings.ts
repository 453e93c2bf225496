import type { Db } from '../../base/database.ts'

/** One use of a join token: by a device's key, which is known by its thumbprint. */
export interface JoiningRow {
  jti: string
  key: string
  device: string
  /** What was answered, sealed to the device; null once the device has connected. */
  reply: string | null
  at: number
}

/** The table of what join tokens were used for. */
export const createJoinings = (db: Db) => {
  const get = db.prepare<[string, string], JoiningRow>('select * from joining where jti = ? and key = ?')
  const count = db.prepare<[string], { n: number }>('select count(*) as n from joining where jti = ?')
  const put = db.prepare<JoiningRow>(
    'insert into joining (jti, key, device, reply, at) values (@jti, @key, @device, @reply, @at)',
  )
  const connected = db.prepare<[string]>('update joining set reply = null where device = ? and reply is not null')
  return {
    get: (jti: string, key: string): JoiningRow | undefined => get.get(jti, key),
    count: (jti: string): number => count.get(jti)?.n ?? 0,
    put: (row: JoiningRow): void => {
      put.run(row)
    },
    /** The device has what it needs: its reply is given to nobody any more. */
    connected: (device: string): void => {
      connected.run(device)
    },
  }
}
export type Joinings = ReturnType<typeof createJoinings>
