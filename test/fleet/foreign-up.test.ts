import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { makeCertificate } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/free-port.ts'
import { collect, type Installation, plainEnv, startInstallation } from '../harness/installation.ts'
import { mosquittoProgram, startMosquittoIn } from '../harness/mosquitto.ts'

let folder = ''
let closing: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  closing = []
})
const newFolder = (): string => {
  folder = mkdtempSync(join(tmpdir(), 'skein-foreign-up-'))
  const made = folder
  closing.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}
/** Runs a task through it, and looks that no broker of its own is there. */
const works = async (here: Installation): Promise<void> => {
  expect(['broker', 'hub'].map((part) => here.pidOf(part as 'broker' | 'hub'))).toEqual([undefined, undefined])
  await here.online('local')
  const run = await here.cli(['run', '--', 'sh', '-c', 'echo here; exit 3'])
  expect([run.code, run.stdout, run.stderr]).toEqual([3, 'here\n', ''])
  const answer = await fetch(`${here.endpoints.http}/readyz`)
  expect(answer.status).toBe(200)
}

test('skein up --url: a broker elsewhere over TLS that reads our tokens', async () => {
  const [cert, key] = [join(newFolder(), 'cert.pem'), join(folder, 'key.pem')]
  makeCertificate('broker.example', cert, key)
  const port = await freePort()
  const url = `mqtts://127.0.0.1:${port}`
  /** The broker of another machine: it has nothing of this one but the public key. */
  const startBroker = (data: string): { close(): void } => {
    openTokenKeys(pathsIn(data))
    const ports = ['--mqtt-port', '0', '--ws-port', '0', '--wss-port', '0', '--tls-port', String(port)]
    const tls = ['--tls-cert', cert, '--tls-key', key, '--token-key', pathsIn(data).tokenKeyPublic]
    const args = ['dist/broker.js', '--data', join(folder, 'broker'), ...ports, ...tls]
    const child = spawn(process.execPath, args, { env: plainEnv(), stdio: 'ignore' })
    const gone = once(child, 'exit')
    closing.push(() => gone)
    return { close: () => void child.kill('SIGTERM') }
  }
  const here = await startInstallation({ mount: startBroker, env: { SKEIN_URL: url, SKEIN_TLS_CA: cert } })
  closing.push(here.close)
  expect(JSON.parse(readFileSync(here.paths.endpoints, 'utf8'))).toMatchObject({ mqtt: url, login: 'token', tls_ca: cert })
  await works(here)
})

test.skipIf(mosquittoProgram() === undefined)(
  'skein up --url --login digest: waits for a broker with users of its own to be told of them',
  async () => {
    const port = await freePort()
    const config = join(newFolder(), 'mosquitto')
    let data = ''
    const starting = startInstallation({
      mount: (made) => {
        data = made
        return { close: () => undefined }
      },
      env: { SKEIN_URL: `mqtt://127.0.0.1:${port}`, SKEIN_LOGIN: 'digest' },
    })
    const paths = await eventually('a data folder', () => data !== '' && pathsIn(data))
    await eventually('tokens', () => [paths.controllerToken, paths.device('local').token].every(existsSync))
    const args = ['broker-config', 'mosquitto', '--data', data, '--out', config, '--listen', `127.0.0.1:${port}`]
    const written = await collect(process.execPath, ['bin/skein', ...args], plainEnv())
    expect([written.code, written.stderr]).toEqual([0, ''])
    const broker = await startMosquittoIn(mosquittoProgram() ?? '', config, port)
    closing.push(broker.close)
    const here = await starting
    closing.push(here.close)
    await works(here)
  },
)
