import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken, readToken } from '../../controller/identity/tokens.ts'
import { permissionsOf } from '../../schemas/topics.ts'

const fleet = 'default'
const now = Date.parse('2030-01-01T00:00:00Z')
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-keys-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})
const modeOf = (file: string): number => statSync(file).mode & 0o777

describe('openTokenKeys()', () => {
  test('makes a key that only its owner can read, and loads it again', async () => {
    const paths = pathsIn(folder)
    const made = openTokenKeys(paths)
    expect([modeOf(paths.keys), modeOf(paths.tokenKey)]).toEqual([0o700, 0o600])
    const loaded = openTokenKeys(paths)
    expect(loaded.kids()).toEqual(made.kids())
    expect(loaded.newest().privateKey.equals(made.newest().privateKey)).toBe(true)
    expect(readFileSync(paths.tokenKeyPublic, 'utf8')).toBe(made.publicKeysPem())
  })

  test('gives the same key to processes that race', async () => {
    const program = join(folder, 'open.mjs')
    await build({
      stdin: {
        contents: `import { openTokenKeys } from './controller/identity/token-keys.ts'
          import { pathsIn } from './base/paths.ts'
          console.log(openTokenKeys(pathsIn(process.argv[2])).newest().kid)`,
        resolveDir: process.cwd(),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: program,
      logLevel: 'error',
    })
    const data = join(folder, 'data')
    const said = await Promise.all(Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, [program, data])))
    expect(new Set(said.map((one) => one.stdout.trim())).size).toBe(1)
    expect(said[0]?.stdout.trim()).toBe(openTokenKeys(pathsIn(data)).newest().kid)
  })

  test('writes the public half again when it is missing, and never the private one', async () => {
    const paths = pathsIn(folder)
    const made = openTokenKeys(paths)
    rmSync(paths.tokenKeyPublic)
    expect(openTokenKeys(paths).kids()).toEqual(made.kids())
    expect(readFileSync(paths.tokenKeyPublic, 'utf8')).toBe(made.publicKeysPem())
  })

  test('names the file that is no key, and leaves it', async () => {
    const paths = pathsIn(folder)
    mkdirSync(paths.keys)
    writeFileSync(paths.tokenKey, 'torn')
    chmodSync(paths.tokenKey, 0o600)
    expect(() => openTokenKeys(paths)).toThrow(paths.tokenKey)
    expect(readFileSync(paths.tokenKey, 'utf8')).toBe('torn')
  })
})

describe('issueToken() and readToken()', () => {
  const wish = { subject: 'eve', role: 'viewer', fleet, ttlSeconds: 60, now, jti: 't-1' } as const

  test('what was issued is read', async () => {
    const keys = openTokenKeys(pathsIn(folder))
    const jwt = await issueToken(keys.newest(), wish)
    expect(decodeProtectedHeader(jwt)).toEqual({ alg: 'ES256', typ: 'JWT', kid: keys.newest().kid })
    const read = await readToken(keys, jwt, { fleet, now })
    const { publish, subscribe } = permissionsOf(fleet, 'viewer', 'eve')
    expect(read).toEqual({
      ok: true,
      kid: keys.newest().kid,
      claims: {
        sub: 'eve',
        role: 'viewer',
        fleet,
        iat: now / 1000,
        exp: now / 1000 + 60,
        jti: 't-1',
        // Topics for probes are our own broker's alone, to keep the token short.
        acl: { pub: publish.filter((one) => !one.includes('/probe/')), sub: subscribe.filter((one) => !one.includes('/probe/')) },
      },
    })
    expect(decodeJwt(jwt).sub).toBe('eve')
  })

  test('it holds until it expires, and not a second longer', async () => {
    const keys = openTokenKeys(pathsIn(folder))
    const jwt = await issueToken(keys.newest(), wish)
    expect((await readToken(keys, jwt, { fleet, now: now + 59_000 })).ok).toBe(true)
    expect(await readToken(keys, jwt, { fleet, now: now + 60_000 })).toMatchObject({
      ok: false,
      reason: 'the token has expired',
      expired: { sub: 'eve', jti: 't-1' }, // it was right in all else
    })
    expect(await readToken(keys, `${jwt.slice(0, -6)}AAAAAA`, { fleet, now: now + 60_000 })).not.toHaveProperty('expired')
  })

  test('of another fleet, another key, or no token at all is a refusal with a reason', async () => {
    const keys = openTokenKeys(pathsIn(folder))
    const other = openTokenKeys(pathsIn(join(folder, 'other')))
    const jwt = await issueToken(keys.newest(), wish)
    for (const [read, reason] of [
      [readToken(keys, jwt, { fleet: 'b', now }), 'fleet "default"'],
      [readToken(other, jwt, { fleet, now }), 'was not signed by this fleet'],
      [readToken(keys, `${jwt}x`, { fleet, now }), 'was not signed by this fleet'],
      [readToken(keys, '', { fleet, now }), 'not a token'],
      [readToken(keys, 'a.b.c', { fleet, now }), 'not a token'],
      [readToken(keys, '💥', { fleet, now }), 'not a token'],
    ] as const) {
      const found = await read
      expect(found.ok ? 'believed' : found.reason).toContain(reason)
    }
  })
})
