import type { Db } from '../../base/database.ts'

/** A token that the controller has issued: never the token itself. Instants are milliseconds since 1970. */
export interface TokenRow {
  jti: string
  subject: string
  role: string
  hash: string
  created_at: number
  expires_at: number
  revoked_at: number | null
  last_used_at: number | null
  /** How many devices a join token lets in. */
  uses?: number | null
  /** The thumbprint of the key that it is signed with. */
  key: string
}

export type ListedToken = TokenRow & { used: number }

/** The list of tokens by which the controller decides who may ask what. */
export const createTokens = (db: Db) => {
  const put = db.prepare<Required<TokenRow>>(`
    insert or replace into token (jti, subject, role, hash, created_at, expires_at, revoked_at, last_used_at, uses, key)
    values (@jti, @subject, @role, @hash, @created_at, @expires_at, @revoked_at, @last_used_at, @uses, @key)`)
  const bySubject = db.prepare<[string], TokenRow>(
    'select * from token where subject = ? and revoked_at is null order by expires_at desc limit 1',
  )
  const byJti = db.prepare<[string], TokenRow>('select * from token where jti = ?')
  const list = db.prepare<[number, number], ListedToken>(`
    select token.*, (select count(*) from joining where joining.jti = token.jti) as used from token
    order by created_at desc, jti limit ? offset ?`)
  const revoke = db.prepare<[number, string]>('update token set revoked_at = ? where jti = ? and revoked_at is null')
  const live = db.prepare<[string], TokenRow>('select * from token where subject = ? and revoked_at is null')
  const revoked = db.prepare<[number], { jti: string; key: string }>(`
    select jti, key from token where revoked_at is not null and (expires_at > ? or role = 'device') order by revoked_at`)
  const liveOfKey = db.prepare<[string, number], { subject: string; role: string }>(
    'select distinct subject, role from token where key = ? and revoked_at is null and expires_at > ? order by subject',
  )
  const revokeKey = db.prepare<[number, string]>('update token set revoked_at = ? where key = ? and revoked_at is null')
  const nameKey = db.prepare<[string]>("update token set key = ? where key = ''")
  const use = db.prepare<[number, string]>('update token set last_used_at = ? where jti = ?')
  /** Asked for by every request; the table is small, and changes seldom. */
  const remembered = new Map<string, TokenRow | undefined>()

  return {
    put: (row: TokenRow): void => {
      remembered.clear()
      put.run({ ...row, uses: row.uses ?? null })
    },
    /** The token of a subject that holds longest, if one was not revoked. */
    ofSubject: (subject: string): TokenRow | undefined => {
      if (!remembered.has(subject)) {
        if (remembered.size > 10_000) remembered.clear()
        remembered.set(subject, bySubject.get(subject))
      }
      return remembered.get(subject)
    },
    get: (jti: string): TokenRow | undefined => byJti.get(jti),
    /** All of a subject that were not revoked. */
    live: (subject: string): TokenRow[] => live.all(subject),
    /** Newest first. */
    list: (limit: number, offset: number): ListedToken[] => list.all(limit, offset),
    revoke: (jti: string, now: number): void => {
      remembered.clear()
      revoke.run(now, jti)
    },
    /** Those that would still hold if they had not been revoked; with an expired one a device may come for another. */
    revoked: (now: number): { jti: string; key: string }[] => revoked.all(now),
    /** Who holds tokens that are signed with a key. */
    holdersOf: (key: string, now: number): { subject: string; role: string }[] => liveOfKey.all(key, now),
    /** Revokes all that are signed with a key. */
    revokeKey: (key: string, now: number): void => {
      remembered.clear()
      revokeKey.run(now, key)
    },
    /** The key of the tokens that were listed when there was only one. */
    nameKey: (key: string): void => {
      remembered.clear()
      nameKey.run(key)
    },
    used: (jti: string, now: number): void => {
      use.run(now, jti)
    },
    /** What is remembered may be of a transaction that failed. */
    forget: (): void => remembered.clear(),
  }
}
export type Tokens = ReturnType<typeof createTokens>

/** The whole list, from a database that another process may have open. */
export const readTokenList = (db: Db): TokenRow[] => db.prepare<[], TokenRow>('select * from token').all()
