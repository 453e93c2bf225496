import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { pathsIn } from '../../base/paths.ts'
import type { Role } from '../../schemas/topics.ts'
import type { Store } from '../store/store.ts'
import type { TokenKey } from './keys.ts'
import { issueToken, readToken } from './tokens.ts'

const ttlSeconds = 400 * 24 * 3600

export interface LocalTokens {
  paths: ReturnType<typeof pathsIn>
  key: TokenKey
  fleet: string
  /** Devices of this machine. */
  devices: readonly string[]
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Makes the tokens of this machine: the admin's, and one for each of its devices; files of mode 0600. A token that still holds
 * stays as it is until a third of its life is gone.
 */
export const issueLocalTokens = async ({ paths, key, fleet, devices, now }: LocalTokens): Promise<void> => {
  await keepToken(paths.adminToken, 'admin', 'admin')
  for (const name of devices) {
    const device = paths.device(name)
    mkdirSync(device.folder, { recursive: true, mode: 0o700 })
    await keepToken(device.token, name, 'device')
  }

  async function keepToken(file: string, subject: string, role: Role): Promise<void> {
    if (existsSync(file)) {
      const known = await readToken(key, readFileSync(file, 'utf8').trim(), { fleet, now })
      if (known.ok && known.claims.sub === subject && known.claims.exp * 1000 - now > (ttlSeconds * 1000 * 2) / 3) return
    }
    writeFileAtomic(file, await issueToken(key, { subject, role, fleet, ttlSeconds, now, jti: randomUUID() }), 0o600)
  }
}

/** Enters the tokens of this machine in the controller's list, by which it decides who may ask what. */
export const registerLocalTokens = async (
  store: Store,
  { paths, key, fleet, now }: Omit<LocalTokens, 'devices'>,
): Promise<void> => {
  const names = existsSync(paths.devices) ? readdirSync(paths.devices) : []
  for (const file of [paths.adminToken, ...names.map((name) => paths.device(name).token)]) {
    if (!existsSync(file)) continue
    const token = readFileSync(file, 'utf8').trim()
    const read = await readToken(key, token, { fleet, now })
    if (!read.ok || store.tokens.get(read.claims.jti)) continue
    const { jti, sub: subject, role, exp } = read.claims
    const hash = createHash('sha256').update(token).digest('hex')
    store.tokens.put({ jti, subject, role, hash, created_at: now, expires_at: exp * 1000, revoked_at: null, last_used_at: null })
  }
}
