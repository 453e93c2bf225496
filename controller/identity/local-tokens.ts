import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { pathsIn } from '../../base/paths.ts'
import type { Role } from '../../schemas/topics.ts'
import type { Store } from '../store/store.ts'
import type { TokenKeys } from './token-keys.ts'
import { issueToken, readToken } from './tokens.ts'

const ttlSeconds = 400 * 24 * 3600

export interface LocalTokens {
  paths: ReturnType<typeof pathsIn>
  keys: TokenKeys
  fleet: string
  /** Thumbprint of the newest command key. */
  ctl: string
  /** Devices of this machine. */
  devices: readonly string[]
  /** The controller too, where it is apart from its broker. */
  controller?: boolean
  /** Whether a token is made anew when a third of its life is gone, or only when it does not hold any more. */
  renew?: 'early' | 'late'
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Makes the tokens of this machine: the admin's, the controller's, and one for each of its devices; files of mode 0600. A token
 * that still holds stays as it is.
 */
export const issueLocalTokens = async (local: LocalTokens): Promise<void> => {
  const { paths, keys, fleet, ctl, now } = local
  const spareMs = local.renew === 'late' ? 0 : (ttlSeconds * 1000 * 2) / 3
  await keepToken(paths.adminToken, 'admin', 'admin')
  await keepToken(paths.dashboardToken, 'dashboard', 'viewer')
  if (local.controller) await keepToken(paths.controllerToken, 'controller', 'controller')
  for (const name of local.devices) {
    const device = paths.device(name)
    mkdirSync(device.folder, { recursive: true, mode: 0o700 })
    await keepToken(device.token, name, 'device')
  }

  async function keepToken(file: string, subject: string, role: Role): Promise<void> {
    // Brokers are to know it before they have heard of newer keys.
    const key = role === 'controller' ? keys.oldest() : keys.newest()
    if (existsSync(file)) {
      const known = await readToken(keys, readFileSync(file, 'utf8').trim(), { fleet, now })
      const isOurs = known.ok && known.claims.sub === subject && known.claims.role === role
      const isTrusting = role !== 'device' || (known.ok && known.claims.ctl === ctl)
      const isSigned = local.renew === 'late' || role === 'controller' || (known.ok && known.kid === key.kid)
      if (isOurs && isTrusting && isSigned && known.claims.exp * 1000 - now > spareMs) return
    }
    const trust = role === 'device' ? { ctl } : {}
    writeFileAtomic(file, await issueToken(key, { subject, role, fleet, ttlSeconds, now, jti: randomUUID(), ...trust }), 0o600)
  }
}

/** Enters the tokens of this machine in the controller's list, by which it decides who may ask what. */
export const registerLocalTokens = async (
  store: Store,
  { paths, keys, fleet, now }: Omit<LocalTokens, 'devices' | 'ctl'>,
): Promise<void> => {
  store.tokens.nameKey(keys.oldest().kid)
  const names = existsSync(paths.devices) ? readdirSync(paths.devices) : []
  for (const file of [paths.adminToken, paths.dashboardToken, ...names.map((name) => paths.device(name).token)]) {
    if (!existsSync(file)) continue
    const token = readFileSync(file, 'utf8').trim()
    const read = await readToken(keys, token, { fleet, now })
    if (!read.ok || store.tokens.get(read.claims.jti)) continue
    const { jti, sub: subject, role, exp } = read.claims
    const hash = createHash('sha256').update(token).digest('hex')
    const times = { created_at: now, expires_at: exp * 1000, revoked_at: null, last_used_at: null }
    store.tokens.put({ jti, subject, role, hash, ...times, key: read.kid })
  }
}
