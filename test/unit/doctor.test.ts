import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { checkCertificate } from '../../controller/cli/doctor/credentials.ts'
import { checkDataFolder } from '../../controller/cli/doctor/data-folder.ts'
import { checkMachine } from '../../controller/cli/doctor/machine.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-doctor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const stateOf = (checks: readonly { id: string; state: string }[], id: string) => checks.find((one) => one.id === id)?.state
const uid = process.getuid?.() ?? 0

describe('checkMachine()', () => {
  test('wants a Node that is new enough', () => {
    for (const [version, state] of [
      ['v18.20.0', 'fail'],
      ['v20.18.3', 'fail'],
      ['v20.19.0', 'ok'],
      ['v24.1.0', 'ok'],
    ] as const)
      expect([version, stateOf(checkMachine(version, '/x/doctor.ts'), 'node')]).toEqual([version, state])
  })

  test('names programs that were not built', () => {
    const program = join(folder, 'skein.bundle.js')
    for (const name of ['up', 'hub', 'controller', 'dashboard', 'device']) writeFileSync(join(folder, `${name}.js`), '')
    expect(checkMachine('v20.19.0', program)).toContainEqual(
      expect.objectContaining({ id: 'build', state: 'fail', found: expect.stringMatching(/lacks broker$/) }),
    )
    writeFileSync(join(folder, 'broker.js'), '')
    expect(stateOf(checkMachine('v20.19.0', program), 'build')).toBe('ok')
  })
})

describe('checkDataFolder()', () => {
  test('tells a folder that others can look into, or that is not there', () => {
    const paths = pathsIn(join(folder, 'data'))
    expect(checkDataFolder(paths, uid)).toMatchObject([{ id: 'data', state: 'skipped' }])
    mkdirSync(paths.data, { mode: 0o700 })
    expect(stateOf(checkDataFolder(paths, uid), 'data')).toBe('ok')
    chmodSync(paths.data, 0o755)
    expect(stateOf(checkDataFolder(paths, uid), 'data')).toBe('warn')
    expect(stateOf(checkDataFolder(paths, uid + 1), 'data')).toBe(uid + 1 === 0 ? 'warn' : 'fail')
  })

  test('names keys and tokens that others can read, and not what is public', () => {
    const paths = pathsIn(folder)
    mkdirSync(paths.keys)
    mkdirSync(paths.device('d').folder, { recursive: true })
    writeFileSync(paths.tokenKeyPublic, '', { mode: 0o644 })
    for (const file of [paths.tokenKey, paths.adminToken, paths.device('d').token]) {
      writeFileSync(file, '', { mode: 0o600 })
      expect(stateOf(checkDataFolder(paths, uid), 'secrets')).toBe('ok')
      chmodSync(file, 0o640)
      expect(checkDataFolder(paths, uid)).toContainEqual(
        expect.objectContaining({ id: 'secrets', state: 'fail', todo: expect.stringContaining(`chmod 600 ${file},`) }),
      )
      chmodSync(file, 0o600)
    }
  })
})

describe('checkCertificate()', () => {
  const day = 24 * 3600 * 1000
  test('tells one that runs out, has run out, or is not trusted; and a port without TLS', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '40']
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const at = async (now: number) => (await checkCertificate({ url: `mqtts://localhost:${port}` }, now))[0]
    try {
      expect(await at(Date.now())).toMatchObject({ state: 'warn', found: expect.stringContaining('does not trust it') })
      const ca = readFileSync(cert, 'utf8')
      expect(await checkCertificate({ url: `mqtts://127.0.0.1:${port}`, ca }, Date.now())).toMatchObject([{ state: 'ok' }])
      expect(await at(Date.now() + 50 * day)).toMatchObject({
        state: 'fail',
        found: expect.stringMatching(/ran out 1\d days ago/),
      })
      expect(await checkCertificate({ url: `mqtt://localhost:${port}` }, Date.now())).toEqual([])
    } finally {
      server.close()
    }
    expect(await at(Date.now())).toMatchObject({ state: 'fail', found: expect.stringContaining('no TLS') })
  })
})
