import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { admit } from '../../broker/authentication.ts'
import { permissionsIn } from '../../broker/permissions.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'

const now = Date.parse('2030-01-01T00:00:00Z')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-admission-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const permissionsFor = permissionsIn('default')

test('admit() lets a device stay until its token ends, or for 30 s when that has happened', async () => {
  const keys = openTokenKeys(pathsIn(folder))
  const wish = { subject: 'd1', role: 'device', fleet: 'default', ttlSeconds: 60, jti: 'j' } as const
  const endOf = async (issuedAt: number): Promise<number | undefined> => {
    const password = Buffer.from(await issueToken(keys.newest(), { ...wish, now: issuedAt }))
    const found = await admit(
      { clientId: '', clean: true, password, will: undefined },
      { fleet: 'default', keyFor: keys.publicKey, permissionsFor, now, holderOf: () => undefined, isRevoked: () => false },
    )
    return found.ok ? found.endsAt - now : undefined
  }
  expect(await endOf(now)).toBe(60_000)
  expect(await endOf(now - 86_400_000)).toBe(30_000)
})
