import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exits } from '../../base/exit-codes.ts'
import { type BootedDebian, copyBuild, startBootedDebian } from '../harness/booted-debian.ts'
import { eventually } from '../harness/eventually.ts'
import { type CliResult, type Installation, startInstallation } from '../harness/installation.ts'
import { linesOf } from '../harness/lone-device.ts'
import { findProgram } from '../harness/program.ts'

const nspawn = findProgram(['/usr/bin/systemd-nspawn'], 'systemd-nspawn')
const debootstrap = findProgram(['/usr/sbin/debootstrap'], 'debootstrap')
const canBoot = nspawn !== undefined && debootstrap !== undefined && process.getuid?.() === 0

describe.skipIf(!canBoot)('the service in a booted Debian', () => {
  let debian: BootedDebian
  let fleet: Installation
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-debian-'))
    const from = performance.now()
    debian = await startBootedDebian(folder)
    console.warn(`booted after ${Math.round(performance.now() - from)} ms`)
    copyBuild(join(debian.root, 'opt/build'))
    fleet = await startInstallation({ devices: 0 })
  }, 300_000)
  afterAll(async () => {
    await fleet?.close()
    await debian?.close()
  })

  const skein = (...words: string[]): Promise<CliResult> => debian.run(['node', '/opt/build/bin/skein', ...words])
  const unitNow = async (unit = 'skein-device'): Promise<Record<string, string>> => {
    const { stdout } = await debian.run(['systemctl', 'show', `${unit}.service`])
    return Object.fromEntries(
      stdout.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  }
  const mainPid = async (): Promise<number> => Number((await unitNow())['MainPID'])
  /** Waits for a daemon other than that one, and tells how long that took. */
  const nextDaemon = async (before: number): Promise<number> => {
    const from = performance.now()
    await eventually('another daemon is ready', async () => {
      const { MainPID, ActiveState } = await unitNow()
      return ActiveState === 'active' && Number(MainPID) !== 0 && Number(MainPID) !== before
    })
    return performance.now() - from
  }
  const counting = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'
  const witnesses = async (): Promise<number[]> =>
    [...(await debian.processes())].flatMap(([pid, words]) => (words.includes('i=$((i+1))') ? [pid] : []))
  let task = ''
  const startWitness = async (): Promise<number> => {
    task = await fleet.submit({ payload: { command: ['sh', '-c', counting] }, target: { device: 'pi' }, options: { retries: 0 } })
    const found = await eventually('the witness runs', async () => (await witnesses()).length === 1 && (await witnesses()))
    return found[0] ?? 0
  }
  const joinToken = async (): Promise<string> =>
    JSON.parse((await fleet.cli(['token', 'create', '--role', 'join', '--uses', '9', '--json'])).stdout).token
  const settings = async (): Promise<string[]> => [
    '--url',
    JSON.parse(readFileSync(fleet.paths.endpoints, 'utf8')).mqtt,
    '--token',
    await joinToken(),
  ]
  let witness = 0
  const starts = (): string[] => linesOf(join(debian.root, 'opt/workloads/starts'))

  test('install --dry-run changes nothing', async () => {
    const { code, stdout } = await skein('device', 'install', '--name', 'pi', '--dry-run', '--json', ...(await settings()))
    expect(code).toBe(0)
    expect(JSON.parse(stdout).steps.map((step: { do: string }) => step.do)).toContain('switch')
    expect(stdout).not.toContain('eyJ')
    expect(existsSync(join(debian.root, 'opt/skein'))).toBe(false)
    expect(existsSync(join(debian.root, 'etc/systemd/system/skein-device.service'))).toBe(false)
  })

  test('a device that cannot start is told with the reason, and exit code 1', async () => {
    const words = [
      'device',
      'install',
      '--name',
      'pi',
      '--url',
      'mqtt://127.0.0.1:9',
      '--token-file',
      '/nowhere',
      '--timeout',
      '20',
      '--json',
    ]
    const { code, stdout } = await skein(...words)
    expect(code).toBe(1)
    const answer = JSON.parse(stdout)
    expect(answer).toMatchObject({ ok: false, error: { step: 'wait', message: 'its daemon exits with 78' } })
    expect(answer.log.join('\n')).toContain('token_file')
    // A start that fails does not keep a core busy.
    const { NRestarts } = await unitNow()
    expect(Number(NRestarts)).toBeLessThan(2)
  })

  test('install has a device joined, ready and enabled', async () => {
    const result = await skein('device', 'install', '--name', 'pi', '--json', ...(await settings()))
    expect(result).toMatchObject({ code: 0 })
    await fleet.online('pi')
    expect(await unitNow()).toMatchObject({ ActiveState: 'active', UnitFileState: 'enabled', NotifyAccess: 'main' })
    expect((await skein('device', 'install', '--name', 'pi', '--json', ...(await settings()))).code).toBe(0)
    const verified = await debian.run(['systemd-analyze', 'verify', '--man=no', 'skein-device.service'])
    expect(verified.stderr.replace(/^.*Unknown key 'DelegateSubgroup'.*\n/m, '')).toBe('')
  })

  test('workloads are applied there, with and without a limit of their memory', async () => {
    mkdirSync(join(debian.root, 'opt/workloads'))
    const service = (name: string) => ({
      ...{ name, type: 'service', run_mode: 'forever' },
      command: `echo "$SKEIN_WORKLOAD" >>/opt/workloads/starts; while :; do sleep 0.1; done`,
    })
    // JSON is YAML.
    const workloads = [service('plain'), { ...service('limited'), memory_limit_mb: 64 }]
    writeFileSync(join(debian.root, 'opt/workloads/all.yaml'), JSON.stringify({ workloads }))
    expect(await skein('local', 'apply', '/opt/workloads')).toMatchObject({ code: 0, stderr: '' })
    await eventually('both run', () => starts().length === 2)
    const { stdout } = await skein('local', 'list', '--json')
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'limited', state: 'running', run_count: 1 },
      { name: 'plain', state: 'running', run_count: 1 },
    ])
  })

  test('reload, kill -9 and the watchdog replace the daemon alone', async () => {
    witness = await startWitness()
    let pid = await mainPid()
    const times: Record<string, number> = {}
    await debian.run(['systemctl', 'reload', 'skein-device'])
    times['reload'] = await nextDaemon(pid)
    pid = await mainPid()
    await debian.run(['sh', '-c', `kill -9 ${pid}`])
    times['kill'] = await nextDaemon(pid)
    expect(times['kill']).toBeLessThan(2000)
    const dropIn = join(debian.root, 'etc/systemd/system/skein-device.service.d')
    mkdirSync(dropIn)
    writeFileSync(join(dropIn, 'short.conf'), '[Service]\nWatchdogSec=3s\n')
    await debian.run(['systemctl', 'daemon-reload'])
    pid = await mainPid()
    await debian.run(['systemctl', 'reload', 'skein-device'])
    await nextDaemon(pid)
    pid = await mainPid()
    await new Promise((resolve) => setTimeout(resolve, 7000))
    expect(await mainPid()).toBe(pid)
    await debian.run(['sh', '-c', `kill -STOP ${pid}`])
    times['watchdog of 3 s'] = await nextDaemon(pid)
    rmSync(dropIn, { recursive: true })
    await debian.run(['systemctl', 'daemon-reload'])
    expect(await witnesses()).toEqual([witness])
    expect(starts()).toHaveLength(2)
    console.warn(`until ready, in ms: ${JSON.stringify(times)}`)
  })

  test('upgrade replaces the program, and keeps two releases', async () => {
    const { StatusText: before = '' } = await unitNow()
    for (const text of ['one', 'two']) {
      copyBuild(join(debian.root, 'opt', text))
      writeFileSync(join(debian.root, 'opt', text, 'LICENSE'), text)
      expect(await skein('device', 'upgrade', '--from', `/opt/${text}`, '--json')).toMatchObject({ code: 0 })
    }
    const { StatusText: after = '' } = await unitNow()
    expect(after).toContain('/opt/skein/releases/')
    expect(after).not.toBe(before)
    expect(readdirSync(join(debian.root, 'opt/skein/releases'))).toHaveLength(2)
    expect(JSON.parse((await skein('device', 'upgrade', '--from', '/opt/two', '--json')).stdout)).toMatchObject({
      changed: false,
    })
    expect(await witnesses()).toEqual([witness])
    expect(starts()).toHaveLength(2)
  })

  test.each([
    ['exits at once', 'process.exit(3)', 'its daemon exits with 3'],
    ['never gets ready', 'setInterval(() => {}, 1000)', 'its daemon is not ready after 5 s'],
  ])('an upgrade whose daemon %s brings the old one back', async (_, fault, reason) => {
    const { StatusText: before } = await unitNow()
    rmSync(join(debian.root, 'opt/bad'), { recursive: true, force: true })
    cpSync(join(debian.root, 'opt/two'), join(debian.root, 'opt/bad'), { recursive: true })
    const good = readFileSync(join(debian.root, 'opt/two/dist/device.js'), 'utf8')
    writeFileSync(join(debian.root, 'opt/bad/dist/device.js'), `if (process.env.NOTIFY_SOCKET) ${fault}\nelse ${good}`)
    const { code, stdout } = await skein('device', 'upgrade', '--from', '/opt/bad', '--timeout', '5', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout).error).toMatchObject({ undone: true, message: expect.stringContaining(reason) })
    expect((await unitNow())['StatusText']).toBe(before)
    expect(await witnesses()).toEqual([witness])
  })

  test('an upgrade that this Node cannot run changes nothing', async () => {
    const pid = await mainPid()
    writeFileSync(join(debian.root, 'opt/bad/node_modules/better-sqlite3/build/Release/better_sqlite3.node'), 'none')
    const { code, stdout } = await skein('device', 'upgrade', '--from', '/opt/bad', '--json')
    expect([code, JSON.parse(stdout).error]).toMatchObject([1, { step: 'try', undone: false }])
    expect(await mainPid()).toBe(pid)
  })

  test('no line of the witness is lost, and a reboot ends it and brings the device back', async () => {
    await debian.powerOff()
    const ended = await fleet.ended(task)
    expect([ended.state, ended.runs[0]?.reason]).toEqual(['failed', 'device_shutdown'])
    const lines = (await fleet.output(task)).o.toString().trimEnd().split('\n').map(Number)
    expect(lines.length).toBeGreaterThan(100)
    expect(lines.findIndex((line, i) => line !== i + 1)).toBe(-1)
    await debian.boot()
    await eventually('the device is back', async () => (await unitNow())['ActiveState'] === 'active')
    await fleet.online('pi')
    await eventually('its workloads run again', () => starts().length === 4)
  })

  test('restart and stop end what runs, and leave nothing', async () => {
    witness = await startWitness()
    expect((await debian.run(['systemctl', 'restart', 'skein-device'])).code).toBe(0)
    expect(await witnesses()).toEqual([])
    await fleet.ended(task)
    await eventually('its workloads begin anew', () => starts().length === 6)
    await startWitness()
    expect((await debian.run(['systemctl', 'stop', 'skein-device'])).code).toBe(0)
    await fleet.ended(task)
    expect([...(await debian.processes()).values()].filter((words) => /skein|shim|^sh -s|sleep/.test(words))).toEqual([])
    expect(await unitNow()).toMatchObject({ ActiveState: 'inactive', Result: 'success' })
  })

  test('a stop waits for the grace of what runs, longer than TimeoutStopSec', async () => {
    const dropIn = join(debian.root, 'etc/systemd/system/skein-device.service.d')
    mkdirSync(dropIn)
    writeFileSync(join(dropIn, 'short.conf'), '[Service]\nTimeoutStopSec=3s\n')
    await debian.run(['systemctl', 'daemon-reload'])
    await debian.run(['systemctl', 'start', 'skein-device'])
    const stubborn = { command: ['sh', '-c', `trap '' TERM; ${counting}`] }
    task = await fleet.submit({ payload: stubborn, target: { device: 'pi' }, options: { stop_grace_seconds: 8 } })
    await fleet.taskWhen('it runs', task, ({ runs }) => runs[0]?.state === 'running')
    const from = performance.now()
    expect((await debian.run(['systemctl', 'stop', 'skein-device'])).code).toBe(0)
    expect(performance.now() - from).toBeGreaterThan(7000)
    expect(await unitNow()).toMatchObject({ ActiveState: 'inactive', Result: 'success' })
    expect((await fleet.ended(task)).runs[0]?.reason).toBe('device_shutdown')
    rmSync(dropIn, { recursive: true })
  })

  test('a daemon that has ended for good is not started again, until somebody does', async () => {
    const dropIn = join(debian.root, 'etc/systemd/system/skein-device.service.d')
    mkdirSync(dropIn)
    const words = `[Service]\nType=exec\nExecStart=\nExecStart=/bin/sh -c 'sleep 1; exit ${exits.endedOnRequest}'\n`
    writeFileSync(join(dropIn, 'ends.conf'), words)
    await debian.run(['systemctl', 'daemon-reload'])
    expect((await debian.run(['systemctl', 'start', 'skein-device'])).code).toBe(0)
    await eventually('it has ended', async () => (await unitNow())['ActiveState'] === 'inactive')
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(await unitNow()).toMatchObject({ ActiveState: 'inactive', NRestarts: '0', Result: 'success' })
    rmSync(dropIn, { recursive: true })
    await debian.run(['systemctl', 'daemon-reload'])
  })

  test('a daemon of another user is ready too', async () => {
    await debian.run(['useradd', '--system', 'skein'])
    const words = [
      'device',
      'install',
      '--unit-name',
      'second',
      '--name',
      'second',
      '--data',
      '/var/lib/second',
      '--user',
      'skein',
      '--json',
    ]
    const result = await skein(...words, '--env', 'TZ=Europe/Rome', ...(await settings()))
    expect(result).toMatchObject({ code: 0 })
    expect(await unitNow('second')).toMatchObject({ ActiveState: 'active', User: 'skein', NotifyAccess: 'all' })
    await fleet.online('second')
    expect((await skein('device', 'uninstall', '--unit-name', 'second', '--purge', '--json')).code).toBe(0)
    expect(existsSync(join(debian.root, 'var/lib/second'))).toBe(false)
    // The other unit has the program from there.
    expect(existsSync(join(debian.root, 'opt/skein/current/..'))).toBe(true)
  })

  test('in place it runs from where it is, and an upgrade is a new daemon', async () => {
    const own = ['--unit-name', 'third', '--json']
    const words = ['--in-place', '--name', 'third', '--data', '/var/lib/third', ...own]
    expect(await skein('device', 'install', ...words, ...(await settings()))).toMatchObject({ code: 0 })
    const before = await unitNow('third')
    expect(before['StatusText']).toMatch(/ in \/opt\/build$/)
    expect(await skein('device', 'upgrade', ...own)).toMatchObject({ code: 0 })
    expect((await unitNow('third'))['MainPID']).not.toBe(before['MainPID'])
    expect((await skein('device', 'upgrade', '--from', '/opt/two', ...own)).code).toBe(3)
    expect((await skein('device', 'uninstall', ...own)).code).toBe(0)
    expect(existsSync(join(debian.root, 'opt/build/bin/skein'))).toBe(true)
  })

  test('only root may, and uninstall leaves the data alone unless it is to be purged', async () => {
    const plain = await debian.run([
      'setpriv',
      '--reuid=65534',
      '--clear-groups',
      'node',
      '/opt/build/bin/skein',
      'device',
      'uninstall',
      '--json',
    ])
    expect([plain.code, JSON.parse(plain.stdout)]).toMatchObject([3, { ok: false, error: { code: 'refused' } }])
    await debian.run(['systemctl', 'start', 'skein-device'])
    await startWitness()
    expect((await skein('device', 'uninstall', '--json')).code).toBe(0)
    expect(await witnesses()).toEqual([])
    expect((await unitNow())['LoadState']).toBe('not-found')
    expect(existsSync(join(debian.root, 'opt/skein'))).toBe(false)
    expect(existsSync(join(debian.root, 'var/lib/skein/devices/pi/journal.db'))).toBe(true)
    expect((await skein('device', 'uninstall', '--json')).code).toBe(3)
  })
})
