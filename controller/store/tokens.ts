import type { Db } from '../../base/database.ts'

/** A token that the controller has issued: never the token itself. */
export interface TokenRow {
  jti: string
  subject: string
  role: string
  hash: string
  created_at: number
  expires_at: number
  revoked_at: number | null
  last_used_at: number | null
}

/** The list of tokens by which the controller decides who may ask what. */
export const createTokens = (db: Db) => {
  const put = db.prepare<TokenRow>(`
    insert or replace into token (jti, subject, role, hash, created_at, expires_at, revoked_at, last_used_at)
    values (@jti, @subject, @role, @hash, @created_at, @expires_at, @revoked_at, @last_used_at)`)
  const bySubject = db.prepare<[string], TokenRow>(
    'select * from token where subject = ? and revoked_at is null order by expires_at desc limit 1',
  )
  const byJti = db.prepare<[string], TokenRow>('select * from token where jti = ?')

  return {
    put: (row: TokenRow): void => {
      put.run(row)
    },
    ofSubject: (subject: string): TokenRow | undefined => bySubject.get(subject),
    get: (jti: string): TokenRow | undefined => byJti.get(jti),
  }
}
export type Tokens = ReturnType<typeof createTokens>
