import { readFileSync } from 'node:fs'
import { type Skein, startSkein } from './installation.ts'
import type { BenchPart } from './part.ts'
import { openSubmitter, startDevices } from './queues.ts'
import { cpuSeconds, median, printTable, residentMb, rounded } from './statistics.ts'
import type { World } from './world.ts'

const deviceCount = Number(process.env['BENCH_DEVICES'] ?? 5000)
const taskCount = Number(process.env['BENCH_TASKS'] ?? 1_000_000)
const watchMs = 60_000
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Many devices, and many tasks that wait: what they cost, and what they are in the way of. */
export const scale: BenchPart = {
  about: `${deviceCount} devices with a heartbeat each 10 s, their return after a restart; ${taskCount} queued tasks`,
  run: async (world) => {
    const fleet = await manyDevices(world)
    const queue = await manyTasks(world)
    const musts: [string, number, number][] = [
      ['hub, cores', fleet.hub_cores, 0.25],
      ['hub, MB', fleet.hub_mb, 250],
      ['worst heartbeat, s', fleet.heartbeat_worst_ms / 1000, 1],
      ['back after backoff, s', fleet.back_worst_ms / 1000, 5],
      ['controller with the queue, MB', queue.hub_mb, 300],
      ['speed lost by the queue', 1 - queue.speed_with_queue / queue.speed_when_empty, 0.2],
    ]
    printTable([['', 'found', 'must'], ...musts.map(([what, found, must]) => [what, rounded(found), `< ${must}`])])
    return {
      // The tightest of them: how many times it could grow before it were too much.
      ratio: rounded(Math.min(...musts.map(([, found, must]) => must / Math.max(found, must / 100)))),
      must: 1,
      ...fleet,
      queued: taskCount,
      queued_hub_mb: queue.hub_mb,
      queued_submitted_per_second: queue.submitted_per_second,
      tasks_per_second_when_empty: queue.speed_when_empty,
      tasks_per_second_with_queue: queue.speed_with_queue,
      loop_delay_max_ms_with_queue: queue.loop_delay_max_ms,
      not_measured: 'the loop while a million old tasks are removed and a 100 MB log is read',
    }
  },
}

const manyDevices = async (world: World) => {
  if (openFilesLimit() < deviceCount + 500) console.log(`  open files are limited to ${openFilesLimit()}: ulimit -n 20000`)
  const skein = await startSkein(world, { env: { SKEIN_HEARTBEAT_SECONDS: '10', SKEIN_CONNECTIONS_PER_ADDRESS: '20000' } })
  const url = skein.endpoints.mqtt
  console.log(`  ${deviceCount} devices connect`)
  const program = await startDevices(world, skein, { count: deviceCount, capacity: 4, spreadMs: 20_000 })
  const watcher = world.program('watcher', { url, token: skein.adminToken })
  await watcher.next('ready')
  await wait(15_000)

  console.log(`  watching for ${watchMs / 1000} s`)
  const pid = skein.pidOf('hub')
  const cpu = cpuSeconds(pid)
  watcher.send({ kind: 'begin' })
  await wait(watchMs)
  const cores = (cpuSeconds(pid) - cpu) / (watchMs / 1000)
  const mb = residentMb(pid)
  const told = watcher.next('heartbeats')
  watcher.send({ kind: 'tell' })
  const beats = await told
  await watcher.end()

  console.log('  killing the hub')
  program.send({ kind: 'count' })
  const back = program.next('ready', 180_000)
  process.kill(pid, 'SIGKILL')
  const { lateMs, lateMedianMs } = await back
  await program.end()
  await skein.up.end()
  return {
    devices: deviceCount,
    hub_cores: rounded(cores, 3),
    hub_mb: Math.round(mb),
    heartbeats: beats['count'] as number,
    heartbeat_p99_ms: beats['p99'] as number,
    heartbeat_worst_ms: beats['worst'] as number,
    heartbeat_worst_gap_ms: beats['worstGapMs'] as number,
    back_median_ms: Math.round(lateMedianMs),
    back_worst_ms: Math.round(lateMs),
  }
}

const manyTasks = async (world: World) => {
  const skein = await startSkein(world)
  const url = skein.endpoints.mqtt
  await startDevices(world, skein, { count: 1, capacity: 64 })
  const submitter = await openSubmitter(world, skein, 64)
  const window = { warmMs: 2000, forMs: 4000 }
  const speed = async (): Promise<number> => {
    const found = []
    for (let i = 0; i < 3; i++) found.push((await submitter.measure(window)).perSecond)
    return Math.round(median(found))
  }
  const empty = await speed()
  console.log(`  ${empty} tasks/s with an empty queue; filling it`)
  const from = performance.now()
  const filler = world.program('filler', { url, token: skein.adminToken, connections: 4, count: taskCount })
  filler.onNote((note) => note.kind === 'progress' && console.log(`  ${note['acknowledged']} are queued`))
  await filler.next('filled', 900_000)
  const submitted = taskCount / ((performance.now() - from) / 1000)
  await filler.end()
  const mb = residentMb(skein.pidOf('hub'))
  const full = await speed()
  const delay = await loopDelayMaxMs(skein)
  const after = Math.max(mb, residentMb(skein.pidOf('hub')))
  return {
    hub_mb: Math.round(after),
    submitted_per_second: Math.round(submitted),
    speed_when_empty: empty,
    speed_with_queue: full,
    loop_delay_max_ms: delay,
  }
}

/** As the hub itself tells it. */
const loopDelayMaxMs = async (skein: Skein): Promise<number | null> => {
  const response = await fetch(`${skein.endpoints.api}/metrics`, { headers: { authorization: `Bearer ${skein.adminToken}` } })
  const found = /^skein_event_loop_delay_seconds\{[^}]*quantile="1"[^}]*\} ([0-9.e+-]+)$/m.exec(await response.text())
  return found?.[1] === undefined ? null : rounded(Number(found[1]) * 1000)
}

const openFilesLimit = (): number =>
  Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY)
