import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Skein, startSkein } from './installation.ts'
import { peerPackage, startRedis } from './peers.ts'
import { cpuSeconds } from './statistics.ts'
import type { Started, World } from './world.ts'

export interface Measured {
  perSecond: number
  latencies: number[]
  /** Microseconds of CPU per task, by process. */
  cpu: Record<string, number>
}

/** Something that takes jobs: one submitter process, one process that does them, and what lies between. */
export interface Queueing {
  measure(how: { warmMs: number; forMs: number; atLeast?: number }): Promise<Measured>
}

/** Skein with protocol-level devices. */
export const openSkeinQueue = async (
  world: World,
  inFlight: number,
  apart: boolean,
  env: Readonly<Record<string, string>> = {},
): Promise<Queueing> => {
  const skein = await startSkein(world, { apart, env })
  // One, as BullMQ has one worker; both take 64 at a time.
  const worker = await startDevices(world, skein, { count: 1, capacity: 64 })
  const parts = apart ? ['broker', 'controller'] : ['hub']
  const pids = Object.fromEntries(parts.map((part) => [part, skein.pidOf(part)]))
  return openSubmitter(world, skein, inFlight, { ...pids, devices: worker.pid })
}

/** Simulated devices in a process of their own; resolves when all of them are welcome. */
export const startDevices = async (
  world: World,
  skein: Skein,
  how: { count: number; capacity: number; spreadMs?: number },
): Promise<Started> => {
  const devices = []
  for (let i = 1; i <= how.count; i++)
    devices.push({ name: `sim-${i}`, token: await skein.tokenFor(`sim-${i}`, 'device'), capacity: how.capacity })
  const file = join(world.temp('devices'), 'devices.json')
  writeFileSync(file, JSON.stringify(devices))
  const program = world.program('devices', { url: skein.endpoints.mqtt, file, spreadMs: how.spreadMs ?? 0 })
  await program.next('ready', 180_000)
  return program
}

/** Who submits no-op tasks to Skein, so many in flight. */
export const openSubmitter = async (
  world: World,
  skein: Skein,
  inFlight: number,
  pids: Readonly<Record<string, number>> = {},
): Promise<Queueing> => {
  const task = { payload: { command: ['true'] } }
  const settings = { url: skein.endpoints.mqtt, token: skein.adminToken, subject: 'admin', inFlight, task }
  const submitter = world.program('submitter', settings)
  await submitter.next('ready')
  return queueing(submitter, { ...pids, submitter: submitter.pid })
}

/** Skein with one real device, which starts a program for each task. */
export const openSkeinStarts = async (world: World, inFlight: number, program: string, capacity: number): Promise<Queueing> => {
  const skein = await startSkein(world, { devices: 1, env: { SKEIN_CAPACITY: String(capacity) } })
  const task = { payload: { command: [program] } }
  const settings = { url: skein.endpoints.mqtt, token: skein.adminToken, subject: 'admin', inFlight, task }
  const submitter = world.program('submitter', settings)
  await submitter.next('ready')
  return queueing(submitter, { hub: skein.pidOf('hub'), device: skein.pidOf('device local'), submitter: submitter.pid })
}

/** BullMQ with Redis. */
export const openBullQueue = async (
  world: World,
  inFlight: number,
  how: { program?: string; concurrency?: number } = {},
): Promise<Queueing> => {
  const folder = peerPackage('bullmq', '5')
  const { port, pid } = await startRedis(world)
  const worker = world.program('bull-worker', { folder, port, concurrency: 64, ...how })
  await worker.next('ready')
  const submitter = world.program('bull-submitter', { folder, port, inFlight })
  await submitter.next('ready')
  return queueing(submitter, { redis: pid, worker: worker.pid, submitter: submitter.pid })
}

const queueing = (submitter: Started, pids: Readonly<Record<string, number>>): Queueing => ({
  measure: async ({ warmMs, forMs, atLeast }) => {
    const read = () => Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const)
    const measured = submitter.next('measured', warmMs + forMs * 20 + 60_000)
    submitter.send({ kind: 'measure', warmMs, forMs, atLeast })
    await new Promise((resolve) => setTimeout(resolve, warmMs))
    const before = new Map(read())
    await new Promise((resolve) => setTimeout(resolve, forMs))
    const after = read()
    const { done, wrong, seconds, latencies } = await measured
    if (wrong.length > 0) throw new Error(`${wrong.length} tasks did not succeed: ${wrong.slice(0, 3).join('; ')}`)
    const perSecond = done / seconds
    const expected = (perSecond * forMs) / 1000
    const cpu = Object.fromEntries(
      after.map(([name, used]) => [name, Math.round(((used - (before.get(name) ?? 0)) / expected) * 1e6)]),
    )
    return { perSecond, latencies, cpu }
  },
})
