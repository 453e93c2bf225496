import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Skein, skeinProgram, startSkein } from './installation.ts'
import { openMqttClient } from './mqtt-client.ts'
import type { BenchPart } from './part.ts'
import { startDevices } from './queues.ts'
import { cpuSeconds, median, printTable, residentMb, rounded } from './statistics.ts'
import { pause, until } from './until.ts'
import type { World } from './world.ts'

const deviceCount = Number(process.env['BENCH_DEVICES'] ?? 1000)
const mustMbPerSecond = 40
const mb = 1_000_000

/** A release for many devices, against what the broker can carry; a large one for one device, beside rsync. */
export const rollout: BenchPart = {
  about: `1 MB to ${deviceCount} simulated devices until all are healthy, beside what the broker carries; 100 MB to a real device, beside rsync`,
  run: async (world) => {
    const carried = await brokerLimit(world)
    const many = await toMany(world)
    const one = await toOne(world)
    const limitSeconds = (deviceCount * many.bundle_mb) / carried
    printTable([
      ['', 'found', 'beside'],
      [
        `1 MB to ${deviceCount} devices, s`,
        rounded(many.seconds),
        `${rounded(limitSeconds)} by the broker's ${rounded(carried)} MB/s`,
      ],
      ['hub, CPU s', rounded(many.cpu_seconds), ''],
      ['hub, MB at most', String(many.hub_mb), ''],
      ['the same again, ms a device', rounded(many.unchanged_ms), ''],
      [
        '100 MB to one device, MB/s',
        rounded(one.perSecond),
        one.rsync === null ? 'rsync is missing' : `${rounded(one.rsync)} by rsync`,
      ],
    ])
    return {
      ratio: rounded(one.perSecond / mustMbPerSecond),
      must: 1,
      devices: deviceCount,
      seconds_to_all: rounded(many.seconds),
      broker_limit_seconds: rounded(limitSeconds),
      of_the_limit: rounded(limitSeconds / many.seconds),
      hub_cpu_seconds: rounded(many.cpu_seconds),
      hub_mb: many.hub_mb,
      unchanged_ms_per_device: rounded(many.unchanged_ms, 3),
      mb_per_second_to_one: rounded(one.perSecond),
      rsync_mb_per_second: one.rsync === null ? 'missing' : rounded(one.rsync),
    }
  },
}

/** How many MB a second the broker hands to devices in pieces of 64 KiB, published by one client. */
const brokerLimit = async (world: World): Promise<number> => {
  const skein = await startSkein(world)
  const pieces = 3200
  const bytes = 65_536
  let got = 0
  const reader = await openMqttClient({
    ...{ url: skein.endpoints.mqtt, clientId: 'reader', token: skein.adminToken },
    onMessage: (_, payload) => {
      got += payload.length
    },
  })
  const topic = 'skein/v1/default/probe/admin/limit'
  await reader.subscribe([topic], 1)
  const writer = await openMqttClient({
    url: skein.endpoints.mqtt,
    clientId: 'writer',
    token: skein.adminToken,
    onMessage: () => undefined,
  })
  const payload = 'x'.repeat(bytes)
  const from = performance.now()
  let inFlight = 0
  for (let i = 0; i < pieces; i++) {
    while (inFlight >= 16) await pause(0)
    inFlight++
    writer.publish(topic, payload, () => {
      inFlight--
    })
  }
  await until('all pieces', () => got >= pieces * bytes)
  const perSecond = (pieces * bytes) / mb / ((performance.now() - from) / 1000)
  reader.end()
  writer.end()
  await skein.up.end()
  return perSecond
}

/** Packs a folder of one workload and so many random bytes, and makes a release of it. */
const makeRelease = (world: World, skein: Skein, version: string, bytes: number): void => {
  const folder = world.temp(`app-${version}`)
  mkdirSync(join(folder, 'workloads'))
  writeFileSync(
    join(folder, 'workloads', 'app.yaml'),
    'name: app\ntype: service\nrun_mode: forever\ncommand: [sleep, "100000"]\n',
  )
  writeFileSync(join(folder, 'data.bin'), randomBytes(bytes))
  const env = { ...process.env, SKEIN_DATA: skein.data }
  execFileSync(process.execPath, [skeinProgram, 'release', 'create', folder, '--name', 'app', '--version', version], { env })
}

// biome-ignore lint/suspicious/noExplicitAny: answers of several shapes
const asked = async (skein: Skein, method: 'GET' | 'POST', path: string, body?: unknown): Promise<any> => {
  const answer = await fetch(`${skein.endpoints.api}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${skein.adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const found = await answer.json()
  if (!answer.ok) throw new Error(`${method} ${path} was answered with ${JSON.stringify(found)}`)
  return found
}

/** Deploys to all, at the same time; gives how long it took. */
const deployed = async (skein: Skein, version: string): Promise<number> => {
  const from = performance.now()
  const body = {
    release: `app@${version}`,
    target: { selector: '' },
    batch: '100%',
    min_healthy_seconds: 0,
    health_timeout_seconds: 600,
  }
  const { deployment_id: id } = await asked(skein, 'POST', '/deployments', body)
  for (;;) {
    const { state, reason } = await asked(skein, 'GET', `/deployments/${id}?limit=1`)
    if (state === 'completed') return (performance.now() - from) / 1000
    if (state !== 'in_progress' && state !== 'pending') throw new Error(`The deployment is ${state}: ${reason}`)
    await pause(50)
  }
}

const toMany = async (world: World) => {
  const skein = await startSkein(world, { env: { SKEIN_CONNECTIONS_PER_ADDRESS: '20000' } })
  console.log(`  ${deviceCount} devices connect`)
  const program = await startDevices(world, skein, { count: deviceCount, capacity: 4, spreadMs: 5000 })
  makeRelease(world, skein, '1.0.0', mb)
  const { bundle } = await asked(skein, 'GET', '/releases/app/1.0.0')
  const pid = skein.pidOf('hub')
  const cpu = cpuSeconds(pid)
  let most = 0
  const watching = setInterval(() => {
    most = Math.max(most, residentMb(pid))
  }, 100)
  const seconds = await deployed(skein, '1.0.0')
  const cpuTaken = cpuSeconds(pid) - cpu
  clearInterval(watching)
  const again: number[] = []
  for (let i = 0; i < 3; i++) again.push((await deployed(skein, '1.0.0')) * 1000)
  await program.end()
  await skein.up.end()
  return {
    seconds,
    cpu_seconds: cpuTaken,
    hub_mb: Math.round(most),
    bundle_mb: bundle.size / mb,
    unchanged_ms: median(again) / deviceCount,
  }
}

const toOne = async (world: World): Promise<{ perSecond: number; rsync: number | null }> => {
  const skein = await startSkein(world, { devices: 1 })
  const rates: number[] = []
  for (const version of ['2.0.0', '2.0.1', '2.0.2']) {
    makeRelease(world, skein, version, 100 * mb)
    const { bundle } = await asked(skein, 'GET', `/releases/app/${version}`)
    const rate = await transferred(skein, version, bundle)
    rates.push(rate)
  }
  await skein.up.end()
  return { perSecond: median(rates), rsync: await byRsync(world) }
}

/** From the deployment's beginning until the device has all bytes of the bundle. */
const transferred = async (
  skein: Skein,
  version: string,
  { sha256, size }: { sha256: string; size: number },
): Promise<number> => {
  const part = join(skein.paths.device('local').folder, 'releases', `${sha256}.part`)
  const body = { release: `app@${version}`, target: { selector: '' }, min_healthy_seconds: 0, health_timeout_seconds: 600 }
  const from = performance.now()
  await asked(skein, 'POST', '/deployments', body)
  let seen = 0
  await until(
    'all bytes of the bundle',
    () => {
      const now = existsSync(part) ? statSync(part).size : 0
      const isOver = seen > 0 && now === 0
      seen = Math.max(seen, now)
      return isOver
    },
    120_000,
  )
  return size / mb / ((performance.now() - from) / 1000)
}

/** The same bytes by rsync's own protocol over loopback; null where there is none. */
const byRsync = async (world: World): Promise<number | null> => {
  try {
    execFileSync('rsync', ['--version'], { stdio: 'ignore' })
  } catch {
    return null
  }
  const folder = world.temp('rsync')
  const file = join(folder, 'data.bin')
  writeFileSync(file, randomBytes(100 * mb))
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const conf = join(folder, 'rsyncd.conf')
  const to = world.temp('rsync-to')
  writeFileSync(
    conf,
    `port = ${port}\nuse chroot = no\nreverse lookup = no\n[to]\npath = ${to}\nread only = no\nuid = ${process.getuid?.()}\ngid = ${process.getgid?.()}\n`,
  )
  const daemon = world.start('rsync', ['--daemon', '--no-detach', '--address', '127.0.0.1', '--config', conf])
  await pause(500)
  const times: number[] = []
  for (let i = 0; i < 3; i++) {
    const from = performance.now()
    execFileSync('rsync', ['--whole-file', '--inplace', '--ignore-times', file, `rsync://127.0.0.1:${port}/to/`])
    times.push((performance.now() - from) / 1000)
  }
  await daemon.end()
  if (readFileSync(join(to, 'data.bin')).length !== 100 * mb) throw new Error('rsync has not brought all of it')
  return 100 / median(times)
}
