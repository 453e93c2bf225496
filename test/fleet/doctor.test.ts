import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import { runCli } from '../../controller/cli/cli.ts'
import type { Check } from '../../controller/cli/doctor/check.ts'
import { openCommandKeys } from '../../controller/identity/command-keys.ts'
import { issueLocalTokens } from '../../controller/identity/local-tokens.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { issueToken } from '../../controller/identity/tokens.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/free-port.ts'
import { type Installation, startInstallation } from '../harness/installation.ts'
import { mosquittoProgram, startMosquitto } from '../harness/mosquitto.ts'
import { recordingIo } from '../unit/cli-io.ts'

interface Findings {
  code: number
  reachable: boolean
  checks: Check[]
  /** The state of a check, and what was found. */
  of(id: string): string
}

const doctor = async (argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Findings> => {
  const { io, written } = recordingIo({ env })
  const code = await runCli(io, ['doctor', '--json', '--timeout', '2', ...argv])
  const { checks, reachable } = JSON.parse(written.out)
  return {
    code,
    reachable,
    checks,
    of: (id) => {
      const one = checks.find((check: Check) => check.id === id)
      return one === undefined ? 'not looked at' : `${one.state}: ${one.found}`
    },
  }
}

describe('skein doctor on an installation', () => {
  let skein: Installation
  let env: Record<string, string>
  beforeAll(async () => {
    skein = await startInstallation()
    env = { SKEIN_DATA: skein.data, XDG_CONFIG_HOME: skein.root }
    await skein.online('local')
  })
  afterAll(async () => {
    await skein?.close()
  })

  test('finds nothing on a healthy one, and exits 0', async () => {
    const { code, checks, reachable } = await doctor([], env)
    expect(checks.filter((one) => one.state === 'fail' || (one.state === 'warn' && one.id !== 'load'))).toEqual([])
    expect({ code, reachable }).toEqual({ code: 0, reachable: true })
    expect(checks.filter((one) => one.state === 'ok').length).toBeGreaterThan(25)
  })

  test('tells people in lines, with what to do', async () => {
    chmodSync(skein.paths.adminToken, 0o644)
    try {
      const { code, stdout } = await skein.cli(['doctor'])
      expect(code).toBe(1)
      expect(stdout).toMatch(/^fail +secrets +others can read .*admin\.token \(mode 644\)\n +-> chmod 600 .*admin\.token/m)
      expect(stdout).toMatch(/1 broken/)
    } finally {
      chmodSync(skein.paths.adminToken, 0o600)
    }
  })

  test('names what was set aside as damaged; that alone breaks nothing', async () => {
    const file = join(skein.data, 'controller', 'logs.db.damaged-1')
    writeFileSync(file, '')
    const found = await doctor([], env)
    rmSync(file)
    expect([found.code, found.of('damage')]).toEqual([0, expect.stringMatching(/^warn: .*logs\.db\.damaged-1/)])
  })

  test('a token of another fleet: refused by the broker, which is reached', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'skein-doctor-'))
    const key = openTokenKeys(pathsIn(elsewhere)).newest()
    const token = await issueToken(key, {
      subject: 'admin',
      role: 'admin',
      fleet: 'default',
      ttlSeconds: 60,
      now: Date.now(),
      jti: 'x',
    })
    rmSync(elsewhere, { recursive: true })
    const found = await doctor(['--token', token], env)
    expect([found.code, found.reachable]).toEqual([1, true])
    expect(found.of('token')).toMatch(/^fail: .*was not signed by this fleet/)
    expect(found.of('broker')).toMatch(/^fail: .*refuses admin/)
  })

  test('a token that runs out soon is told in time; a viewer is tried no further than it may', async () => {
    const found = await doctor(['--token', await skein.tokenFor('eve', 'viewer')], env)
    expect(found.of('token')).toMatch(/^warn: .*eve \(viewer\) holds for 0 more days/)
    expect(found.of('grants')).toMatch(/^ok/)
    expect(found.of('probe')).toMatch(/^skipped/)
    // The controller does not list it.
    expect([found.code, found.of('controller')]).toEqual([1, expect.stringMatching(/^fail/)])
  })

  test('a device that has died is told, by its own socket and by the controller', async () => {
    const child = await skein.startDevice('gone', skein.endpoints.mqtt, await skein.tokenFor('gone', 'device'))
    await skein.online('gone')
    child.kill('SIGKILL')
    await eventually('it is offline', async () => (await skein.answered('GET', '/devices/gone')).body.state === 'offline')
    const found = await doctor([], env)
    expect(found.of('device gone')).toMatch(/^warn: .*does not run/)
    expect(found.of('devices')).toBe('warn: 1 of 2 online; offline: gone')
    expect(found.code).toBe(0)
  })

  test('nothing runs: says so first, and exits 4', async () => {
    await skein.endUp('SIGTERM')
    const found = await doctor([], env)
    expect(found.checks[0]).toMatchObject({
      id: 'hub',
      state: 'fail',
      found: expect.stringContaining('does not run'),
      todo: expect.stringContaining('npm start'),
    })
    expect([found.code, found.reachable]).toEqual([4, false])
    expect(found.of('secrets')).toMatch(/^ok/)
    await skein.startAgain()
  })
})

describe('skein doctor with nothing at all', () => {
  test('an empty folder and a port where nobody listens', async () => {
    const data = join(tmpdir(), 'skein-doctor-none')
    const nowhere = await doctor([], { SKEIN_DATA: data, XDG_CONFIG_HOME: data })
    expect([nowhere.code, nowhere.of('data'), nowhere.of('broker')]).toEqual([
      4,
      expect.stringMatching(/^skipped/),
      expect.stringMatching(/^fail/),
    ])
    const token = `x.${Buffer.from(JSON.stringify({ sub: 'a', role: 'admin', exp: 4e9 })).toString('base64url')}.y`
    const closed = await doctor(['--url', `mqtt://127.0.0.1:${await freePort()}`, '--token', token], {
      SKEIN_DATA: data,
      XDG_CONFIG_HOME: data,
    })
    expect([closed.code, closed.of('broker')]).toEqual([4, expect.stringMatching(/cannot be reached: .*ECONNREFUSED/)])
  })
})

const program = mosquittoProgram()

describe.skipIf(program === undefined)('skein doctor tries a broker', () => {
  let folder: string
  let env: Record<string, string>
  const opened: { close(): Promise<void> }[] = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skein-doctor-'))
    env = { SKEIN_DATA: folder, XDG_CONFIG_HOME: folder }
    const paths = pathsIn(folder)
    await issueLocalTokens({
      paths,
      keys: openTokenKeys(paths),
      fleet: 'default',
      ctl: openCommandKeys(paths).newest().kid,
      devices: ['d1'],
      now: Date.now(),
    })
  })
  afterAll(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const broker = async (more: readonly string[], access?: string): Promise<string> => {
    const started = await startMosquitto(program ?? '', access, more)
    opened.push(started)
    return started.url
  }
  const tried = async (more: readonly string[], access?: string): Promise<Findings> =>
    doctor(['--url', await broker(more, access)], env)

  // They mostly wait, each for a broker of its own.
  test.concurrent('one that is open to all, without a controller', async () => {
    const found = await tried([])
    for (const id of ['delivery', 'order', 'size', 'retain', 'will', 'takeover']) expect(found.of(id)).toMatch(/^ok/)
    expect(found.of('password')).toMatch(/^warn: .*any password/)
    expect(found.of('controller-only')).toMatch(/^fail/)
    expect(found.of('device-only')).toMatch(/^fail: device d1 can speak for others/)
    expect(found.of('controller')).toMatch(/^fail/)
    expect([found.code, found.reachable]).toEqual([4, false])
  })

  test.concurrent('one that keeps no retained messages', async () => {
    const found = await tried(['retain_available false'])
    expect(found.of('retain')).toMatch(/^warn: .*retained/)
    expect(found.of('delivery')).toMatch(/^ok/)
  })

  test.concurrent('one that takes small messages only', async () => {
    const found = await tried(['message_size_limit 20000'])
    expect(found.of('size')).toBe('fail: messages of up to 16 KiB get through, larger ones do not; Skein sends up to 128 KiB')
    expect(found.of('will')).toMatch(/^ok/)
  })

  test.concurrent('one with an access list that is too tight', async () => {
    const found = await tried([], 'topic read skein/v1/default/#\n')
    expect(found.of('delivery')).toMatch(/^fail: a message to .* does not arrive/)
    expect(found.of('size')).toBe('not looked at')
  })

  test.concurrent('one that takes a single connection', async () => {
    const url = await broker(['max_connections 1'])
    // The connection by which the harness saw it listen may still be counted.
    const found = await eventually('a first connection', async () => {
      const findings = await doctor(['--url', url], env)
      return findings.of('broker').startsWith('ok') && findings
    })
    expect(found.of('delivery')).toMatch(/^fail: a connection for it is not taken/)
  })

  test.concurrent('one whose queue is shorter than a burst', async () => {
    const found = await tried(['max_queued_messages 1', 'max_inflight_messages 1'])
    expect(found.of('order')).toMatch(/^warn: of 300 messages sent at once \d+ came/)
    expect(found.of('size')).toMatch(/^ok/)
  })

  test.concurrent('two controllers of one fleet, and a clock that is an hour off', async () => {
    const url = await broker([])
    for (const epoch of [7, 8]) opened.push(closing(await answering(url, epoch)))
    const found = await doctor(['--url', url], env)
    expect(found.of('alone')).toMatch(/^fail: 2 controllers answer, of epochs (7, 8|8, 7)/)
    expect(found.of('clock')).toMatch(/^warn: this machine and the controller differ by 3(599|600)\.\d s/)
    expect(found.of('load')).toMatch(/^warn: .*300 ms/)
    expect(found.of('databases')).toMatch(/^warn: a table was lost/)
    expect(found.of('devices')).toMatch(/^warn: 0 of 1 online; silent: d1/)
    expect(found.of('drained')).toMatch(/^warn: get no work: d1/)
    expect(found.of('device-clocks')).toMatch(/^warn: .*d1/)
  })
})

const closing = (client: MqttClient) => ({ close: () => client.endAsync(true) })

/** What a controller would answer, from a program that is none. */
const answering = async (url: string, epoch: number): Promise<MqttClient> => {
  const client = await connectAsync(url)
  client.on('message', (topic, payload) => {
    const { id, reply_to } = JSON.parse(payload.toString())
    const at = new Date(Date.now() + 3_600_000).toISOString()
    const device = {
      ...{ device: 'd1', state: 'stale', reason: null, labels: {}, capacity: 1, running: 0, drained: true, version: null },
      ...{ last_seen_at: at, joined_at: at, metrics: { clock_offset_ms: 60_000 } },
    }
    const status = {
      ...{ version: '0', fleet: 'default', epoch, at, tasks: {}, devices: {}, queue: { depth: 0, oldest_seconds: null } },
      ...{ loop_delay: { p50_ms: 1, p99_ms: 300, max_ms: 900 }, damage: ['a table was lost'] },
    }
    const output = topic.endsWith('device/list') ? { devices: [device], cursor: null } : status
    client.publish(reply_to, JSON.stringify({ id, ok: true, output }), { qos: 1 })
  })
  await client.subscribeAsync('skein/v1/default/request/+/#', { qos: 1 })
  return client
}
