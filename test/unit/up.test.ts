import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { readConfig } from '../../base/config.ts'
import { exits } from '../../base/exit-codes.ts'
import { holdFolder } from '../../base/hold.ts'
import { silentLog } from '../../base/log.ts'
import { plainBindOf } from '../../base/plain-bind.ts'
import { addressesOf, deviceNames, type PartPlan, planParts, saidAddresses, withoutSettings } from '../../up/parts.ts'
import { pickPorts } from '../../up/ports.ts'
import { summaryOf } from '../../up/summary.ts'
import { restartAfter, startSupervisor } from '../../up/supervisor.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-up-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const configOf = (...argv: string[]) => {
  const read = readConfig('up', { argv: ['--data', folder, ...argv], env: {} })
  if (read.kind !== 'config') throw new Error(JSON.stringify(read))
  return read.config
}
const plainPorts = { mqtt_port: 21_001, ws_port: 21_002, http_port: 21_004, api_port: 21_005 }
const ports = { ...plainPorts, tls_port: 21_003, wss_port: 21_006, https_port: 21_007, api_tls_port: 21_008 }

describe('planParts()', () => {
  test('runs a hub and a device, each with settings of its own', () => {
    const plans = planParts(configOf('--labels', 'a=b', '--log-level', 'warn'), ports)
    expect(plans.map((plan) => plan.name)).toEqual(['hub', 'device local'])
    expect(plans[0]?.env).toMatchObject({ SKEIN_DATA: folder, SKEIN_MQTT_PORT: '21001', SKEIN_HTTP_PORT: '21004' })
    expect(plans[0]?.env).not.toHaveProperty('SKEIN_URL')
    expect(plans[1]?.env).toMatchObject({
      SKEIN_NAME: 'local',
      SKEIN_URL: 'mqtt://127.0.0.1:21001',
      SKEIN_LABELS: 'a=b',
      SKEIN_LOG_LEVEL: 'warn',
    })
    expect(plans[1]?.env).not.toHaveProperty('SKEIN_MQTT_PORT')
  })

  test('hands out nothing that the part itself would refuse', () => {
    for (const plan of planParts(configOf('--apart', '--devices', '2', '--labels', 'a=b'), ports)) {
      writeFileSync(join(folder, 'key.pem'), '')
      const env = { ...plan.env, ...(plan.part === 'broker' ? { SKEIN_TOKEN_KEY: join(folder, 'key.pem') } : {}) }
      expect(readConfig(plan.part, { argv: [], env }), plan.name).toMatchObject({ kind: 'config' })
    }
  })

  test('starts broker before controller before devices with --apart', () => {
    const plans = planParts(configOf('--apart', '--devices', '2'), ports)
    expect(plans.map(({ name, rank }) => [name, rank])).toEqual([
      ['broker', 2],
      ['controller', 1],
      ['dashboard', 0],
      ['device local-1', 0],
      ['device local-2', 0],
    ])
    expect(deviceNames(0)).toEqual([])
  })

  test('with a broker of somebody else starts none, and all parts log in there', () => {
    const ca = join(folder, 'ca.pem')
    writeFileSync(ca, '')
    const config = configOf('--url', 'mqtts://broker:8883', '--login', 'digest', '--tls-ca', ca)
    const plans = planParts(config, ports)
    expect(plans.map(({ name }) => name)).toEqual(['controller', 'dashboard', 'device local'])
    for (const plan of plans.filter(({ name }) => name !== 'dashboard'))
      expect(plan.env).toMatchObject({ SKEIN_URL: 'mqtts://broker:8883', SKEIN_LOGIN: 'digest', SKEIN_TLS_CA: ca })
    expect(addressesOf(config, ports)).toEqual({
      mqtt: 'mqtts://broker:8883',
      http: 'http://127.0.0.1:21004',
      api: 'http://127.0.0.1:21005',
    })
    // A way to log in that is meant for another broker is not for the embedded one.
    for (const plan of planParts(configOf('--login', 'digest', '--apart'), ports).filter(({ env }) => 'SKEIN_URL' in env))
      expect(plan.env).toMatchObject({ SKEIN_LOGIN: 'token' })
  })

  test('withoutSettings() keeps what is not ours', () => {
    expect(withoutSettings({ PATH: 'p', SKEIN_URL: 'u', SKEIN_TOKEN: 't', SKEIN_OTHER: 'o' })).toEqual({
      PATH: 'p',
      SKEIN_OTHER: 'o',
    })
  })
})

describe('addresses', () => {
  test('addressesOf() names the loopback for a listener on every address', () => {
    expect(addressesOf(configOf('--bind', '0.0.0.0', '--insecure', '--apart'), ports)).toEqual({
      mqtt: 'mqtt://127.0.0.1:21001',
      ws: 'ws://127.0.0.1:21002',
      http: 'http://127.0.0.1:21004',
      api: 'http://127.0.0.1:21005',
    })
  })

  test('addressesOf() leaves what is not encrypted on loopback when there is a certificate', () => {
    for (const file of ['cert.pem', 'key.pem']) writeFileSync(join(folder, file), '')
    const config = configOf('--bind', '0.0.0.0', '--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem'))
    expect(plainBindOf(config)).toBe('127.0.0.1')
    expect(plainBindOf({ ...config, insecure: true })).toBe('0.0.0.0')
    // For clients of other machines: a certificate is for a name.
    expect(addressesOf(config, ports)).toEqual({
      mqtt: 'mqtt://127.0.0.1:21001',
      ws: 'ws://127.0.0.1:21002',
      http: 'http://127.0.0.1:21004',
      api: 'http://127.0.0.1:21004',
      mqtts: `mqtts://${hostname()}:21003`,
      wss: `wss://${hostname()}:21006`,
      https: `https://${hostname()}:21007`,
    })
    expect(addressesOf({ ...config, bind: '::1' }, ports)).toMatchObject({
      http: 'http://[::1]:21004',
      https: 'https://[::1]:21007',
    })
  })

  test('saidAddresses() believes the parts', () => {
    const expected = addressesOf(configOf(), ports)
    const said = saidAddresses(expected, [{ kind: 'ready', mqtt: 'mqtt://127.0.0.1:5' }, { kind: 'ready' }])
    expect(said).toEqual({ ...expected, mqtt: 'mqtt://127.0.0.1:5' })
  })

  test('summaryOf() has a line for each way in, with the real ports and paths', () => {
    const text = summaryOf({
      version: '1',
      fleet: 'default',
      data: '/home/me/a b/.skein',
      cwd: '/home/me',
      addresses: addressesOf(configOf(), ports),
      devices: ['local'],
    })
    expect(text).toContain(`bin/skein --data 'a b/.skein' run --`)
    expect(text).toContain(`mosquitto_pub -h 127.0.0.1 -p 21001 -u me -P "$(cat 'a b/.skein/admin.token')" -q 1`)
    expect(text).toContain('-t skein/v1/default/request/admin/task/submit')
    expect(text).toContain('http://127.0.0.1:21004/api/v1/tasks')
  })
})

describe('pickPorts()', () => {
  test('picks a free port once and remembers it', async () => {
    const file = join(folder, 'ports.json')
    const wanted = { ...ports, mqtt_port: 0, http_port: 0 }
    const first = await pickPorts(wanted, '127.0.0.1', file)
    expect(first.mqtt_port).not.toBe(first.http_port)
    expect(await pickPorts(wanted, '127.0.0.1', file)).toEqual(first)
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')))).toEqual(['mqtt_port', 'http_port'])
    const server = createServer().listen(first.mqtt_port, '127.0.0.1')
    expect((await pickPorts(wanted, '127.0.0.1', file)).mqtt_port).toBe(first.mqtt_port)
    server.close()
  })
})

describe('holdFolder()', () => {
  test('lets one in, names it to the next, and is free after close', () => {
    const first = holdFolder(folder, 'up', 4711)
    expect(first.ok).toBe(true)
    expect(holdFolder(folder, 'up', 4712)).toEqual({ ok: false, pid: 4711 })
    if (first.ok) void first.close()
    const next = holdFolder(folder, 'up', 4712)
    expect(next.ok).toBe(true)
    if (next.ok) void next.close()
  })
})

describe('startSupervisor()', () => {
  const plan = (name: string, rank: number): PartPlan => ({ name, part: 'device', env: {}, rank, graceMs: 5000 })
  const supervise = (programs: Record<string, string>, plans: PartPlan[]) => {
    const started: { name: string; pid: number | undefined }[] = []
    const supervisor = startSupervisor({
      plans,
      clock: systemClock,
      log: silentLog,
      spawn: (one) => {
        const child = spawn(process.execPath, ['-e', programs[one.name] ?? ''], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        })
        started.push({ name: one.name, pid: child.pid })
        return child
      },
    })
    return { supervisor, started }
  }
  const serve = () => `process.on('disconnect', () => process.exit()); process.send({ kind: 'ready' })`

  test('starts ranks in order, starts again what is killed, ends the lowest rank first', async () => {
    const marks = join(folder, 'marks')
    const mark = (text: string) => `require('fs').appendFileSync(${JSON.stringify(marks)}, '${text} ')`
    const leave = (name: string) =>
      `process.on('SIGTERM', () => { ${mark(name)}; process.exit() }); ${mark(`${name}-up`)}; ${serve()}`
    const { supervisor, started } = supervise({ hub: leave('hub'), device: leave('device') }, [plan('device', 0), plan('hub', 1)])
    await supervisor.ready
    expect(started.map((one) => one.name)).toEqual(['hub', 'device'])
    process.kill(started[0]?.pid ?? 0, 'SIGKILL')
    await vi.waitFor(() => expect(readFileSync(marks, 'utf8')).toBe('hub-up device-up hub-up '), { timeout: 10_000 })
    await supervisor.close()
    await supervisor.close()
    expect(readFileSync(marks, 'utf8')).toBe('hub-up device-up hub-up device hub ')
    expect(started).toHaveLength(3)
  })

  test('kills what outlives its patience when told to hurry', async () => {
    const { supervisor } = supervise({ stubborn: `process.on('SIGTERM', () => {}); ${serve()}` }, [plan('stubborn', 0)])
    await supervisor.ready
    const before = Date.now()
    const closed = supervisor.close()
    supervisor.hurry()
    await closed
    expect(Date.now() - before).toBeLessThan(4500)
  })

  test('starts nothing again that was asked to end for good, and at once what is to be replaced', async () => {
    const exit = (code: number) => `${serve()}; setTimeout(() => process.exit(${code}), 500)`
    const programs = { ended: exit(exits.endedOnRequest), replaced: exit(exits.replaceMe) }
    const { supervisor, started } = supervise(programs, [plan('ended', 0), plan('replaced', 0)])
    await supervisor.ready
    const times = (name: string) => started.filter((one) => one.name === name).length
    await vi.waitFor(() => expect(times('replaced')).toBeGreaterThan(2), { timeout: 10_000 })
    expect(times('ended')).toBe(1)
    await supervisor.close()
  })

  test('restartAfter() doubles from 50 ms to 2 s and forgets after 10 s of life', () => {
    let fails = 0
    const waits = Array.from({ length: 8 }, () => {
      const next = restartAfter(fails, 100)
      fails = next.fails
      return next.waitMs
    })
    expect(waits).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000])
    expect(restartAfter(8, 10_000)).toEqual({ fails: 1, waitMs: 50 })
  })
})
