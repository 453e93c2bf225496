import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { digestPassword } from '../../../base/login.ts'
import type { pathsIn } from '../../../base/paths.ts'
import { permissionsOf, type Role, roles } from '../../../schemas/topics.ts'
import type { TokenKeys } from '../../identity/token-keys.ts'
import { readToken } from '../../identity/tokens.ts'
import { readTokenList } from '../../store/tokens.ts'
import { usageFailure } from '../exit.ts'
import type { BrokerUser } from './kind.ts'

interface Known {
  jti: string
  subject: string
  role: string
  hash: string
  created_at: number
  expires_at: number
  revoked_at: number | null
}

export interface Sources {
  paths: ReturnType<typeof pathsIn>
  keys: TokenKeys
  fleet: string
  /** Files of tokens from elsewhere. */
  tokenFiles: readonly string[]
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Everybody who holds a token of the fleet: from the controller's list, from the token files of this machine (before the
 * controller has started there is no list), and from files that are named. Of several tokens of a subject the newest counts.
 */
export const findUsers = async (sources: Sources): Promise<BrokerUser[]> => {
  const { paths, fleet, now } = sources
  const listed = existsSync(paths.controllerDb) ? listIn(paths.controllerDb) : []
  const revoked = new Set(listed.filter((one) => one.revoked_at !== null).map((one) => one.jti))
  const names = existsSync(paths.devices) ? readdirSync(paths.devices) : []
  const local = [
    paths.adminToken,
    paths.controllerToken,
    paths.dashboardToken,
    ...names.map((name) => paths.device(name).token),
  ].filter(existsSync)
  const inFiles = await Promise.all([...local, ...sources.tokenFiles].map((file) => tokenIn(file, sources)))
  const newest = new Map<string, Known>()
  for (const one of [...listed, ...inFiles]) {
    if (one.expires_at <= now || revoked.has(one.jti)) continue
    const before = newest.get(one.subject)
    if (before === undefined || before.created_at < one.created_at) newest.set(one.subject, one)
  }
  return [...newest.values()]
    .sort((a, b) => (a.subject < b.subject ? -1 : 1))
    .map(({ subject, role, hash }) => {
      const known = roleIn(role, subject)
      return { subject, role: known, password: digestPassword(hash), ...permissionsOf(fleet, known, subject) }
    })
}

const listIn = (file: string): Known[] => {
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 5000 })
  try {
    return readTokenList(db)
  } finally {
    db.close()
  }
}

const tokenIn = async (file: string, { keys, fleet, now }: Sources): Promise<Known> => {
  if (!existsSync(file)) throw usageFailure(`Cannot read the token in ${file}: there is no such file`)
  const token = readFileSync(file, 'utf8').trim()
  const read = await readToken(keys, token, { fleet, now })
  if (!read.ok) throw usageFailure(`Cannot use the token in ${file}: ${read.reason}`)
  const { jti, sub: subject, role, iat, exp } = read.claims
  const hash = createHash('sha256').update(token).digest('hex')
  return { jti, subject, role, hash, created_at: (iat ?? 0) * 1000, expires_at: exp * 1000, revoked_at: null }
}

const roleIn = (text: string, subject: string): Role => {
  const role = roles.find((one) => one === text)
  if (role === undefined)
    throw new Error(`The controller's list gives "${subject}" a role that this version does not know: "${text}"`)
  return role
}
