import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { quick, type ReleaseWorld, startReleaseWorld } from '../harness/release-world.ts'

const devices = ['local-1', 'local-2', 'local-3']

describe('a release', () => {
  let world: ReleaseWorld
  beforeAll(async () => {
    world = await startReleaseWorld({ devices: 3 })
  })
  afterAll(() => world?.close())
  const everywhere = { target: { selector: '' }, ...quick }

  test('is made of a folder, rolled out by the CLI, and runs on each device with its own files', async () => {
    const folder = world.folder('app', '1.0.0')
    const flags = ['--name', 'app', '--version', '1.0.0']
    const dry = await world.fleet.cli(['release', 'create', folder, ...flags, '--dry-run', '--json'])
    const made = await world.fleet.cli(['release', 'create', folder, ...flags, '--json'])
    expect([dry.code, made.code]).toEqual([0, 0])
    expect(JSON.parse(made.stdout)).toMatchObject({
      digest: JSON.parse(dry.stdout).digest,
      workloads: ['app'],
      files: 3,
      devices: 0,
    })
    const again = await world.fleet.cli(['release', 'create', folder, ...flags, '--json'])
    expect(JSON.parse(again.stdout).digest).toBe(JSON.parse(made.stdout).digest)
    const plan = await world.fleet.cli(['deploy', 'app@1.0.0', '--all', '--batch', '2', '--canary', '1', '--dry-run', '--json'])
    expect(JSON.parse(plan.stdout).would.map((one: { batch: number }) => one.batch)).toEqual([0, 1, 1])
    const args = ['deploy', 'app@1.0.0', '--all', '--batch', '2', '--canary', '1', '--min-healthy', '0.5', '--watch']
    const watched = await world.fleet.cli(args, { timeoutMs: 60_000 })
    expect([watched.code, watched.stderr]).toEqual([0, ''])
    expect(watched.stdout).toMatch(/local-1 {2}batch 0 {2}healthy/)
    expect(watched.stdout).toMatch(/app@1\.0\.0 completed/)
    for (const device of devices) await world.runs(device, '1.0.0', world.dataOf('app@1.0.0'))
    const plans = await world.fleet.cli(['device', 'plan', 'local-2', '--json'])
    expect(JSON.parse(plans.stdout)).toMatchObject({
      in_sync: true,
      releases: [{ name: 'app', desired: { version: '1.0.0' }, why: null }],
    })
    const shown = await world.fleet.answered('GET', '/devices/local-2/workloads/app')
    expect(shown.body).toMatchObject({ origin: 'app@1.0.0', state: 'running' })
  })

  test('a version does not change, and what is needed is not removed', async () => {
    const other = world.folder('else', '1.0.0', 'sick')
    const taken = await world.fleet.cli(['release', 'create', other, '--name', 'app', '--version', '1.0.0'])
    expect([taken.code, taken.stderr]).toEqual([3, expect.stringContaining('a version does not change')])
    const deleted = await world.fleet.cli(['release', 'delete', 'app@1.0.0'])
    expect([deleted.code, deleted.stderr]).toEqual([3, expect.stringContaining('is needed')])
  })

  test('one that exits at once stops at the first device, which goes back to what it ran', async () => {
    await world.release('app', '1.1.0', 'exits')
    const watched = await world.fleet.cli(['deploy', 'app@1.1.0', '--all', '--min-healthy', '0.5', '--watch'], {
      timeoutMs: 60_000,
    })
    expect([watched.code, watched.stderr]).toEqual([1, ''])
    expect(watched.stdout).toMatch(/app@1\.1\.0 rolled_back/)
    const tried = devices.filter((device) => world.lines(device).some(({ version }) => version === '1.1.0'))
    expect(tried).toHaveLength(1)
    for (const device of devices) await world.runs(device, '1.0.0', world.dataOf('app@1.0.0'))
    const [triedOne = ''] = tried
    // Those that were not its turn have not been disturbed: no gap in what they wrote.
    for (const device of devices.filter((one) => one !== triedOne)) {
      const at = world.lines(device).map((line) => line.at)
      expect(Math.max(...at.slice(1).map((one, i) => one - (at[i] ?? one)))).toBeLessThan(2)
    }
  })

  test.each([
    ['dies again and again', 'dies', '1.2.0'],
    ['never gets well', 'sick', '1.3.0'],
  ] as const)('one that %s fails within the tolerance, or rolls all of it back', async (_, behaviour, version) => {
    await world.release('app', version, behaviour)
    const id = await world.deploy({
      release: `app@${version}`,
      ...everywhere,
      batch: 3,
      max_failures: 1,
      min_healthy_seconds: 2,
      health_timeout_seconds: 3,
    })
    const ended = await world.when('its end', id, ({ state }) => state === 'rolled_back', 60_000)
    expect(ended.device_list.map(({ state, previous }) => [state, previous])).toEqual(devices.map(() => ['rolled_back', '1.0.0']))
    expect(ended.history.map(({ state }) => state)).toEqual(['pending', 'in_progress', 'rolling_back', 'rolled_back'])
    for (const device of devices) await world.runs(device, '1.0.0', world.dataOf('app@1.0.0'))
  })

  test('a second release lives beside it; its first failure leaves nothing; a name that is taken is refused beforehand', async () => {
    await world.release('other', '1.0.0', 'exits')
    const id = await world.deploy({ release: 'other@1.0.0', ...everywhere })
    await world.when('its end', id, ({ state }) => state === 'rolled_back')
    await eventually('no workload of it', async () => {
      const { body } = await world.fleet.answered('GET', '/workloads?name=other')
      return body.workloads.length === 0
    })
    for (const device of devices) await world.runs(device, '1.0.0')
    const clash = world.folder('clash', '1.0.0')
    rmSync(join(clash, 'workloads', 'clash.yaml'))
    writeFileSync(join(clash, 'workloads', 'app.yaml'), 'name: app\ntype: service\nrun_mode: forever\ncommand: [sleep, "1000"]\n')
    await world.fleet.cli(['release', 'create', clash, '--name', 'clash', '--version', '1.0.0'])
    const dry = await world.fleet.cli(['deploy', 'clash@1.0.0', '--all', '--dry-run', '--json'])
    expect(JSON.parse(dry.stdout).would[0].why).toContain('"app" belongs to app@1.0.0')
    const refused = await world.deploy({ release: 'clash@1.0.0', ...everywhere, auto_rollback: false })
    const failed = await world.when('its end', refused, ({ state }) => state === 'failed')
    expect(failed.device_list[0]).toMatchObject({ state: 'failed', reason: expect.stringContaining('app@1.0.0') })
    for (const device of devices) await world.runs(device, '1.0.0')
  })

  test('is paused, goes on, and is cancelled with what was done taken back', async () => {
    await world.release('app', '2.0.0')
    const id = await world.deploy({ release: 'app@2.0.0', ...everywhere, pause_seconds: 1 })
    await world.when('its first device', id, ({ counts }) => (counts.healthy ?? 0) >= 1)
    expect((await world.fleet.api('POST', `/deployments/${id}/pause`)).body).toMatchObject({ state: 'paused' })
    expect((await world.fleet.api('POST', `/deployments/${id}/resume`)).body).toMatchObject({ state: 'in_progress' })
    await world.when('its second device', id, ({ counts }) => (counts.healthy ?? 0) >= 2)
    const cancelled = await world.fleet.cli(['deployment', 'cancel', id, '--rollback'])
    expect(cancelled.code).toBe(0)
    await world.when('all of it taken back', id, ({ state }) => state === 'rolled_back')
    for (const device of devices) await world.runs(device, '1.0.0', world.dataOf('app@1.0.0'))
    const again = await world.fleet.api('POST', `/deployments/${id}/pause`)
    expect([again.status, again.body.error.code]).toEqual([409, 'conflict'])
  })

  test('the hub is killed again and again while it rolls out: it goes on, and every device runs it in the end', async () => {
    await world.release('app', '3.0.0')
    const id = await world.deploy({ release: 'app@3.0.0', ...everywhere })
    for (const healthy of [0, 1, 2]) {
      await world.when(`${healthy} devices`, id, ({ counts }) => (counts.healthy ?? 0) >= healthy)
      expect(world.fleet.kill('hub')).toBeGreaterThan(0)
    }
    const ended = await world.when('its end', id, ({ state }) => state === 'completed', 60_000)
    expect(ended.counts).toEqual({ healthy: 3 })
    for (const device of devices) {
      await world.runs(device, '3.0.0', world.dataOf('app@3.0.0'))
      const starts = world
        .lines(device)
        .filter(({ version }, i, all) => all[i - 1]?.version !== version)
        .map(({ version }) => version)
      expect(starts.at(-2), 'it went straight from one to the other').toBe('1.0.0')
    }
  })

  test('a device is killed while it gets it: the next daemon goes on', async () => {
    await world.release('app', '3.1.0', 'good', 3_000_000)
    const id = await world.deploy({ release: 'app@3.1.0', ...everywhere, batch: 3 })
    for (const device of devices) world.fleet.kill(`device ${device}`)
    await world.when('its end', id, ({ state }) => state === 'completed', 60_000)
    for (const device of devices) await world.runs(device, '3.1.0', world.dataOf('app@3.1.0'))
  })

  test('a newer one takes over the devices that they share', async () => {
    await world.release('app', '4.0.0')
    await world.release('app', '4.1.0')
    const first = await world.deploy({ release: 'app@4.0.0', ...everywhere, min_healthy_seconds: 3 })
    await world.when('its first device', first, ({ counts }) => (counts.deploying ?? 0) + (counts.deployed ?? 0) >= 1)
    const second = await world.deploy({ release: 'app@4.1.0', ...everywhere, batch: 3 })
    await world.when('the end of the second', second, ({ state }) => state === 'completed')
    const old = await world.when('the end of the first', first, ({ state }) => state === 'completed')
    expect(old.counts).toEqual({ superseded: 3 })
    for (const device of devices) await world.runs(device, '4.1.0', world.dataOf('app@4.1.0'))
  })

  test('bad input is answered with the field, and nothing is begun', async () => {
    const before = (await world.fleet.api('GET', '/deployments')).body.deployments.length
    const post = (body: unknown) => world.fleet.api('POST', '/deployments', body)
    const faults = [
      [await post({ release: 'app@9.9.9', target: { selector: '' } }), 404, 'version'],
      [await post({ release: 'app', target: { selector: '' } }), 400, 'release'],
      [await post({ release: 'app@1.0.0', target: {} }), 400, 'target'],
      [await post({ release: 'app@1.0.0', target: { devices: ['nobody'] } }), 404, 'target.devices'],
      [await post({ release: 'app@1.0.0', target: { selector: 'a in (' } }), 400, 'target.selector'],
      [await post({ release: 'app@1.0.0', target: { selector: '' }, batch: '0%' }), 400, 'batch'],
      [await post({ release: 'app@1.0.0', target: { selector: '' }, bach: 1 }), 400, 'bach'],
    ] as const
    for (const [answer, status, field] of faults) {
      expect([answer.status, answer.body.error.details?.[0]?.field]).toEqual([status, field])
    }
    expect((await post({ release: 'app@1.0.0', target: { selector: 'no=where' } })).status).toBe(422)
    expect((await world.fleet.api('GET', '/deployments')).body.deployments).toHaveLength(before)
    expect((await world.fleet.cli(['deploy', 'app@1.0.0'])).code).toBe(2)
    expect((await world.fleet.cli(['deploy', 'nonsense', '--all'])).code).toBe(2)
  })
})

describe('devices that are away', () => {
  let world: ReleaseWorld
  beforeAll(async () => {
    world = await startReleaseWorld({ devices: 1 })
  })
  afterAll(() => world?.close())

  test('hold nobody up, and get it when they are back', async () => {
    const token = await world.fleet.tokenFor('away', 'device')
    const away = await world.fleet.startDevice('away', world.fleet.endpoints.mqtt, token)
    await world.fleet.online('away')
    away.kill('SIGKILL')
    await eventually('it is away', async () => (await world.fleet.answered('GET', '/devices/away')).body.state === 'offline')
    await world.release('app', '1.0.0')
    const id = await world.deploy({ release: 'app@1.0.0', target: { selector: '' }, ...quick })
    const ended = await world.when('its end', id, ({ state }) => state === 'completed')
    expect(ended.counts).toEqual({ healthy: 1, deferred: 1 })
    await world.fleet.startDevice('away', world.fleet.endpoints.mqtt, token)
    await world.runs('away', '1.0.0', world.dataOf('app@1.0.0'))
    await world.when('all of it', id, ({ counts }) => counts.healthy === 2)
  })

  test('one that was removed is left out', async () => {
    await world.release('app', '1.1.0')
    const id = await world.deploy({ release: 'app@1.1.0', target: { selector: '' }, ...quick, min_healthy_seconds: 2 })
    await world.when('its first device', id, ({ counts }) => (counts.deploying ?? 0) + (counts.deployed ?? 0) >= 1)
    const pending = (await world.deployment(id)).device_list.find(({ state }) => state === 'pending')?.device
    expect((await world.fleet.cli(['device', 'remove', pending ?? '', '--force'])).code).toBe(0)
    const ended = await world.when('its end', id, ({ state }) => state === 'completed')
    expect(ended.device_list.find(({ device }) => device === pending)).toMatchObject({ state: 'skipped' })
  })
})
