import { describe, expect, test } from 'vitest'
import { attentionTo } from '../../dashboard/server/picture/attention.ts'
import { createDevices } from '../../dashboard/server/picture/devices.ts'
import type { Deployment } from '../../schemas/deployment.ts'
import type { Device } from '../../schemas/device.ts'
import type { Reported } from '../../schemas/workload-status.ts'

const now = Date.parse('2026-05-01T12:00:00Z')
const device = (name: string, more: Partial<Device> = {}): Device => ({
  device: name,
  state: 'online',
  reason: null,
  labels: { site: 'berlin' },
  capacity: 4,
  running: 0,
  drained: false,
  version: '0.1.0',
  last_seen_at: '2026-05-01T11:59:59Z',
  joined_at: '2026-04-01T00:00:00Z',
  metrics: null,
  ...more,
})
const beat = (more: Record<string, unknown> = {}) => ({
  session: 1,
  at: '2026-05-01T12:00:00Z',
  mono_ms: 1,
  running: ['r1', 'r2'],
  metrics: {
    cpu_percent: 12.4,
    memory_used_mb: 256,
    memory_total_mb: 1024,
    disk_used_mb: 97,
    disk_total_mb: 100,
    load: [1],
    temperature_celsius: 51.6,
    uptime_seconds: 1,
    clock_offset_ms: 0,
  },
  ...more,
})
const workload = (name: string, state: string, more: Record<string, unknown> = {}) => ({
  ...{
    name,
    type: 'command',
    run_mode: 'forever' as const,
    version: null,
    tags: [],
    origin: 'local',
    state,
    reason: null,
    health: null,
  },
  ...{ pid: null, run_id: null, run_count: 1, failures: 0, last_exit_code: null, last_error: null, last_started_at: null },
  ...{ last_ended_at: null, next_at: null, memory_mb: null, digest: 'd' },
  ...more,
})
const reported = (seq: number, ...workloads: ReturnType<typeof workload>[]): Reported => ({
  journal: 'j',
  seq,
  at: '2026-05-01T12:00:00Z',
  revision: 0,
  workloads,
})

const world = (...names: string[]) => {
  const devices = createDevices()
  devices.list(
    names.map((name) => device(name)),
    now,
    1000,
  )
  devices.take(now, 1000)
  return devices
}

describe('createDevices()', () => {
  test('what the list has is shown; what it has no more has gone, by its number', () => {
    const devices = world('a', 'b')
    expect(devices.rows(now, 1000).map(({ n, device: name }) => [n, name])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
    devices.list([device('b'), device('c')], now, 1000)
    const { fleet, devices: names } = devices.take(now, 1000)
    expect(fleet).toMatchObject({ gone: [1], rows: [{ n: 3, device: 'c' }] })
    expect(fleet?.rows).toHaveLength(1)
    expect([...names].sort()).toEqual(['a', 'c'])
    expect(devices.take(now, 1000).fleet).toBeUndefined()
  })

  test('a heartbeat is a beat of a few numbers, not a row', () => {
    const devices = world('a')
    devices.heartbeat('a', beat(), 2000)
    expect(devices.take(now, 2000).fleet).toEqual({ beats: [[1, 12, 25, 97, 52, 2]] })
    expect(devices.device('a', now, 2000)).toMatchObject({ running: ['r1', 'r2'], row: { cpu: 12, last_seen_at: now } })
    devices.heartbeat('a', beat({ metrics: undefined, refuses: 'the disk is full' }), 3000)
    expect(devices.take(now, 3000).fleet?.rows).toMatchObject([{ cpu: 12 }])
    expect(devices.device('a', now, 3000).refuses).toBe('the disk is full')
  })

  test('silence makes a device stale, a word from it online again, its will offline', () => {
    const devices = world('a')
    devices.heartbeat('a', beat(), 1000)
    devices.take(now, 1000)
    devices.age(90_999)
    expect(devices.take(now, 90_999).fleet).toBeUndefined()
    devices.age(91_000)
    expect(devices.take(now, 91_000).fleet?.rows).toMatchObject([
      { state: 'stale', reason: 'silent for 90 s (stale after 90 s)' },
    ])
    devices.heartbeat('a', beat(), 92_000)
    expect(devices.take(now, 92_000).fleet?.rows).toMatchObject([{ state: 'online' }])
    devices.state('a', { state: 'offline', session: 1, at: '2026-05-01T12:00:00Z' }, 93_000)
    expect(devices.take(now, 93_000).fleet?.rows).toMatchObject([{ state: 'offline' }])
    expect(devices.counts()).toEqual({ online: 0, stale: 0, offline: 1, drained: 0 })
    devices.state('a', { state: 'online', session: 2, at: '2026-05-01T12:00:00Z' }, 94_000)
    expect(devices.take(now, 94_000).fleet?.rows).toMatchObject([{ state: 'online' }])
  })

  test('what the broker had kept is no sign of life, and an answer is no newer than its question', () => {
    const devices = world('a', 'b')
    devices.age(200_000)
    devices.state('a', { state: 'online', session: 1, at: '2026-05-01T12:00:00Z' }, 200_000, true)
    devices.state('b', { state: 'online', session: 1, at: '2026-05-01T12:00:00Z' }, 200_000)
    expect(devices.rows(now, 200_000).map(({ state }) => state)).toEqual(['stale', 'online'])
    const old = [device('a', { state: 'offline' }), device('b', { state: 'offline' })]
    devices.list(old, now, 201_000, 199_000)
    expect(devices.rows(now, 201_000).map(({ state }) => state)).toEqual(['offline', 'online'])
    devices.list(old, now, 203_000, 202_000)
    expect(devices.rows(now, 203_000).map(({ state }) => state)).toEqual(['offline', 'offline'])
  })

  test('what was heard of one before the list had it is not lost', () => {
    const devices = createDevices()
    devices.info('a', { labels: {}, capacity: 4, version: '1', capabilities: ['limit.memory'] })
    devices.reported('a', reported(1, workload('w', 'running')))
    devices.list([device('a', { running: 3 })], now, 1000)
    const shown = devices.device('a', now, 1000)
    expect(shown).toMatchObject({ capabilities: ['limit.memory'], row: { running: 3, workloads: { running: 1 } } })
    devices.heartbeat('a', beat(), 2000)
    expect(devices.device('a', now, 2000).row).toMatchObject({ running: 2 })
  })

  test('how old the last word is comes from the list, whatever the clocks say', () => {
    const devices = createDevices()
    devices.list(
      [device('a', { last_seen_at: '2026-05-01T11:50:00Z' }), device('b', { last_seen_at: null, state: 'offline' })],
      now,
      5,
    )
    expect(devices.rows(now, 5)).toMatchObject([
      { state: 'online', last_seen_at: now - 600_000 },
      { state: 'offline', last_seen_at: null },
    ])
    devices.age(6)
    expect(devices.rows(now, 6)[0]?.state).toBe('stale')
  })

  test('what a device reports before the list has it is kept, an older word is not', () => {
    const devices = createDevices()
    devices.reported('a', reported(3, workload('web', 'running'), workload('job', 'crash_loop')))
    devices.list([device('a')], now, 1)
    expect(devices.rows(now, 1)[0]?.workloads).toEqual({ total: 2, running: 1, failed: 1 })
    devices.reported('a', reported(2, workload('web', 'failed')))
    expect(devices.rows(now, 1)[0]?.workloads.total).toBe(2)
    devices.reported('a', { ...reported(1), journal: 'another' })
    expect(devices.rows(now, 1)[0]?.workloads.total).toBe(0)
  })

  test('whoever is not in the fleet is nobody, and what comes from there changes nothing', () => {
    const devices = world('a')
    devices.heartbeat('x', beat(), 1)
    devices.state('x', { state: 'online', session: 1, at: '2026-05-01T12:00:00Z' }, 1)
    devices.remove('x')
    expect(devices.device('x', now, 1)).toMatchObject({ row: null, reported: null })
    expect(devices.take(now, 1).fleet).toBeUndefined()
  })
})

describe('attentionTo()', () => {
  const facts = {
    approvals: [],
    lost: [],
    deployments: [],
    queue: { depth: 0, oldest_seconds: null },
    damage: [],
    controller: true,
    now,
    mono: 1000,
  }

  test('nothing is nothing', () => {
    expect(attentionTo({ ...facts, devices: world('a').each() })).toEqual({ shown: [], count: 0 })
  })

  test('the urgent comes first: crash loops, full disks, refusals, then the rest', () => {
    const devices = world('a', 'b')
    devices.heartbeat('a', beat({ refuses: 'no room' }), 1000)
    devices.reported(
      'b',
      reported(
        1,
        workload('w1', 'failed', { reason: 'exit 3' }),
        workload('w2', 'crash_loop'),
        workload('w3', 'running', { health: 'unhealthy' }),
      ),
    )
    const { shown, count } = attentionTo({
      ...facts,
      devices: devices.each(),
      lost: [{ task_id: 't', device: 'a', reason: 'silent', at: now }],
      queue: { depth: 2, oldest_seconds: 301 },
    })
    expect(shown.map(({ kind }) => kind)).toEqual([
      'crash_loop',
      'disk_full',
      'device_refuses',
      'run_lost',
      'workload_failed',
      'workload_unhealthy',
      'queue_stuck',
    ])
    expect(count).toBe(7)
    expect(shown[4]).toMatchObject({ says: 'Workload w1 has failed: exit 3', device: 'b', workload: 'w1' })
    expect(shown[6]?.says).toBe('2 tasks wait, the oldest for 5 minutes')
  })

  test('deployments that failed, were rolled back or wait for somebody; none that goes on, or was meant to end', () => {
    const one = (state: string, more: object = {}) =>
      ({ deployment_id: state, release: 'app@2', state, reason: null, ended_at: null, ...more }) as unknown as Deployment // what it looks at
    const ended = { reason: '1 device failed', ended_at: '2026-05-01T11:00:00Z' }
    const deployments = [
      ...[one('in_progress'), one('completed', ended), one('cancelled', ended), one('rolling_back'), one('paused')],
      ...[one('rolled_back', ended), one('failed', ended)],
    ]
    const { shown } = attentionTo({ ...facts, devices: [], deployments })
    expect(shown).toMatchObject([
      { kind: 'deployment_failed', severity: 'critical', deployment: 'failed', at: now - 3600_000 },
      { kind: 'deployment_rolled_back', says: 'app@2 was rolled back: 1 device failed' },
      { kind: 'deployment_paused', says: 'Deployment of app@2 is paused', at: null },
    ])
  })

  test('a site that is gone is one thing to look at; a device that was drained first is none', () => {
    const names = Array.from({ length: 6 }, (_, i) => `d${i}`)
    const devices = createDevices()
    devices.list(
      names.map((name) => device(name, { state: 'offline' })),
      now,
      1000,
    )
    expect(attentionTo({ ...facts, devices: devices.each() })).toMatchObject({
      count: 1,
      shown: [{ says: '6 devices are offline' }],
    })
    devices.list([device('d0', { state: 'offline', drained: true }), device('d1', { state: 'offline' })], now, 1000)
    expect(attentionTo({ ...facts, devices: devices.each() }).shown.map((one) => one.device)).toEqual(['d1'])
  })

  test('it names at most fifty, and says how many there are', () => {
    const lost = Array.from({ length: 80 }, (_, i) => ({ task_id: `t${i}`, device: null, reason: null, at: i }))
    const { shown, count } = attentionTo({ ...facts, devices: [], lost, controller: false, damage: ['tasks'] })
    expect([shown.length, count]).toEqual([50, 82])
    expect(shown[0]?.kind).toBe('controller_away')
    expect(shown[2]).toMatchObject({ task_id: 't79', says: 'A task was lost' })
  })
})
