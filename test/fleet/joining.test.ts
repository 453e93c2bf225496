import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { claimsIn } from '../../base/token-claims.ts'
import { eventually } from '../harness/eventually.ts'
import { type CliResult, collect, type Installation, plainEnv, startInstallation } from '../harness/installation.ts'

const skein = fileURLToPath(new URL('../../bin/skein', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'skein-joining-'))
const certificate = (name: string): { cert: string; key: string } => {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' })
  return files
}
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let fleet: Installation
let mqtts = ''
const daemons: { name: string; end: () => Promise<void> }[] = []
const { cert, key } = certificate('hub')
beforeAll(async () => {
  fleet = await startInstallation({ env: { SKEIN_TLS_CERT: cert, SKEIN_TLS_KEY: key, SKEIN_TLS_PORT: '0', SKEIN_WSS_PORT: '0' } })
  mqtts = JSON.parse(readFileSync(fleet.paths.endpoints, 'utf8')).mqtts
})
afterAll(async () => {
  for (const one of daemons) await one.end()
  await fleet.close()
})

/** A machine of its own: nothing but a data folder. */
const machine = (name: string) => {
  const data = join(folder, name)
  mkdirSync(data, { recursive: true })
  const env = { ...plainEnv(), SKEIN_DATA: data }
  const start = (more: Readonly<Record<string, string>> = {}): void => {
    const fd = openSync(join(data, 'log'), 'a')
    const child = spawn(process.execPath, [skein, 'device'], { env: { ...env, ...more }, stdio: ['ignore', fd, fd] })
    closeSync(fd)
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const end = async (): Promise<void> => {
      child.kill('SIGTERM')
      await gone
    }
    daemons.push({ name, end })
  }
  return {
    data,
    paths: pathsIn(data).device(name),
    join: (token: string, url: string, ...more: string[]): Promise<CliResult> =>
      collect(
        process.execPath,
        [skein, 'device', 'join', '--url', url, '--token', token, '--name', name, '--json', ...more],
        env,
      ),
    start,
    end: async (): Promise<void> =>
      daemons
        .splice(
          daemons.findIndex((one) => one.name === name),
          1,
        )[0]
        ?.end(),
    log: (): string => readFileSync(join(data, 'log'), 'utf8'),
  }
}
const codeIn = (result: CliResult): [number, string | undefined] => [result.code, JSON.parse(result.stdout).error?.code]
const make = async (...more: string[]): Promise<{ token: string; name: string; command: string }> => {
  const { code, stdout, stderr } = await fleet.cli(['token', 'create', '--role', 'join', '--json', ...more])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

describe('joining', () => {
  test('the line that is printed makes a machine a device: over TLS with a certificate that nobody else has signed', async () => {
    const { token, command } = await make()
    expect(command).toBe(`skein device join --url ${mqtts} --token ${token}`)
    const pi = machine('pi-1')
    const joined = await pi.join(token, mqtts)
    expect([joined.code, JSON.parse(joined.stdout)]).toMatchObject([0, { device: 'pi-1', fleet: 'default', url: mqtts }])
    for (const file of [pi.paths.token, pi.paths.identity, pathsIn(pi.data).membership])
      expect(statSync(file).mode & 0o777).toBe(0o600)
    pi.start()
    await fleet.online('pi-1')
    const witness = join(folder, 'witness')
    const id = await fleet.submit({
      payload: { command: ['sh', '-c', `echo "$SKEIN_DEVICE" >>${witness}`] },
      target: { device: 'pi-1' },
    })
    expect((await fleet.ended(id)).state).toBe('succeeded')
    expect(readFileSync(witness, 'utf8')).toBe('pi-1\n')

    // Now that it is there nobody gets anything for that token any more; the same machine is told that all is done.
    expect(codeIn(await machine('pi-x').join(token, mqtts))).toEqual([3, 'conflict'])
    expect(existsSync(machine('pi-x').paths.token)).toBe(false)
    expect(JSON.parse((await pi.join(token, mqtts)).stdout)).toMatchObject({ device: 'pi-1', already: true })
  })

  test('a broker with another certificate than the token names is told nothing', async () => {
    const { token } = await make()
    const other = certificate('other')
    const heard: Buffer[] = []
    const server = createServer({ cert: readFileSync(other.cert), key: readFileSync(other.key) }, (socket) =>
      socket.on('data', (bytes: Buffer) => heard.push(bytes)).on('error', () => undefined),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const pi = machine('fooled')
    expect(codeIn(await pi.join(token, `mqtts://127.0.0.1:${port}`))).toEqual([3, 'untrusted'])
    expect(Buffer.concat(heard).length).toBe(0)
    expect(existsSync(pi.paths.token)).toBe(false)
    await new Promise((resolve) => server.close(resolve))
  })

  test('what is no join token, has expired, was revoked, or finds nobody, joins nothing and says why', async () => {
    const pi = machine('nobody')
    expect(codeIn(await pi.join(fleet.token, mqtts))).toEqual([3, 'invalid'])
    expect(codeIn(await pi.join('nonsense', mqtts))).toEqual([3, 'invalid'])
    const short = await make('--ttl', '1s')
    await eventually('its end', () => Date.now() / 1000 > (claimsIn(short.token).exp ?? 0))
    expect((await pi.join(short.token, mqtts)).code).toBe(3)
    const revoked = await make()
    expect((await fleet.cli(['token', 'revoke', revoked.name])).code).toBe(0)
    expect((await pi.join(revoked.token, fleet.endpoints.mqtt)).code).toBe(3)
    expect(existsSync(pi.paths.token)).toBe(false)
  })

  test('a daemon with a join token joins at its first start, waits for a hub that is not there yet, and needs no token afterwards', async () => {
    const { token } = await make()
    const pi = machine('self')
    const url = mqtts
    pi.start({ SKEIN_JOIN_TOKEN: token, SKEIN_URL: url, SKEIN_NAME: 'self' })
    await fleet.online('self')
    await pi.end()
    await eventually('it is offline', async () => (await fleet.answered('GET', '/devices/self')).body.state === 'offline')
    pi.start()
    await fleet.online('self')
  })

  test('what a hostile reader of the wire sees of joining is no token', async () => {
    const admin = await fleet.mqtt()
    const seen: string[] = []
    admin.on('message', (_, body) => seen.push(body.toString()))
    await admin.subscribeAsync('skein/v1/default/reply/admin/#')
    const created = await fleet.cli(['token', 'create', '--name', 'seen', '--role', 'viewer', '--json'])
    const { token } = JSON.parse(created.stdout)
    await eventually('the reply', () => seen.some((text) => text.includes('"sealed"')))
    expect(seen.join('\n')).not.toContain(token)
    expect((await fleet.api('GET', '/status', undefined, token)).status).toBe(200)
    await fleet.cli(['token', 'revoke', 'seen'])
    expect((await fleet.api('GET', '/status', undefined, token)).status).toBe(401)
  })
})

describe('a device and its keys', () => {
  test('a rotation while it was away reaches it when it comes back; its own keys and the fleet’s stay apart', async () => {
    const pi = machine('pi-1')
    await pi.end()
    await eventually('it is offline', async () => (await fleet.answered('GET', '/devices/pi-1')).body.state === 'offline')
    const rotated = JSON.parse((await fleet.cli(['key', 'rotate', '--json'])).stdout)
    const [, old] = rotated.keys
    expect(rotated.devices_behind).toContain('pi-1')
    expect((await fleet.cli(['key', 'forget', old.id])).code).toBe(3)
    pi.start()
    await fleet.online('pi-1')
    await eventually(
      'nobody is behind',
      async () => JSON.parse((await fleet.cli(['key', 'list', '--json'])).stdout).devices_behind_count === 0,
    )
    expect((await fleet.cli(['key', 'forget', old.id])).code).toBe(0)
    const run = await fleet.cli(['run', '--device', 'pi-1', '--', 'echo', 'still here'])
    expect([run.code, run.stdout]).toEqual([0, 'still here\n'])
  })

  test('drained, labelled, removed: and what was removed is not let in again', async () => {
    const label = await fleet.cli(['device', 'label', 'pi-1', 'site=berlin', '--json'])
    expect(JSON.parse(label.stdout)[0].labels.site).toBe('berlin')
    expect((await fleet.cli(['device', 'drain', 'pi-1', '--wait'])).code).toBe(0)
    const waiting = await fleet.submit({ payload: { command: 'true' }, target: { device: 'pi-1' } })
    expect((await fleet.task(waiting)).reason).toContain('drained')
    expect((await fleet.cli(['device', 'remove', 'pi-1', '--dry-run'])).code).toBe(0)
    await fleet.online('pi-1')
    expect((await fleet.cli(['device', 'remove', 'pi-1'])).code).toBe(0)
    expect((await fleet.ended(waiting)).state).toBe('rejected')
    expect((await fleet.api('GET', '/devices/pi-1')).status).toBe(404)
    const { token } = await make()
    const pi = machine('pi-1')
    await pi.end()
    expect((await pi.join(token, mqtts)).code).toBe(0)
    pi.start()
    await fleet.online('pi-1')
  })
})
