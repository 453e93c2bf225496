import { mkdirSync, statfsSync } from 'node:fs'
import { systemChance } from '../base/chance.ts'
import { every, sleep, systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { startMqttBus } from '../base/mqtt-bus.ts'
import { devicePathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { deviceClientId } from '../schemas/client-ids.ts'
import { instant } from '../schemas/ids.ts'
import { topicOf } from '../schemas/topics.ts'
import { createDeviceCore } from './core.ts'
import { hostMetricsOf, readHostFacts } from './host-metrics.ts'
import { openJournal } from './journal.ts'
import { openLocalSocket } from './local-socket.ts'
import { startProcessRunner } from './runners/process.ts'
import { readBootId } from './runners/process-table.ts'

export interface DeviceOptions {
  name: string
  fleet: string
  folder: string
  url: string
  token: () => string
  labels: Record<string, string>
  capacity: number
  spoolMb: number
  env: Readonly<Record<string, string | undefined>>
  log: Log
}

/** How long a device that ends waits for its last results to be acknowledged; they are in its journal anyway. */
const farewellMs = 1500

/** Starts a device: its journal, its processes, its connection and its local socket. */
export const startDevice = async (options: DeviceOptions) => {
  const { name, fleet, log } = options
  const clock = systemClock
  const paths = devicePathsIn(options.folder)
  mkdirSync(paths.runs, { recursive: true, mode: 0o700 })
  const journal = openJournal(paths.journal)
  const runner = startProcessRunner({ folder: paths.runs, clock, log, env: options.env })
  const bus = startMqttBus({
    url: options.url,
    clientId: deviceClientId(fleet, name),
    username: name,
    password: options.token,
    will: () => ({
      topic: topicOf(fleet, 'deviceState', { device: name }),
      payload: JSON.stringify({
        state: 'offline',
        session: journal.nextSession(),
        at: instant(clock.now()),
        reason: 'connection lost',
      }),
      retain: true,
      qos: 1,
    }),
    log,
    clock,
    chance: systemChance,
  })

  let budget = options.spoolMb * 1024 * 1024
  const measureRoom = (): void => {
    const { bavail, bsize } = statfsSync(options.folder)
    budget = Math.min(options.spoolMb * 1024 * 1024, bavail * bsize * 0.05)
  }
  measureRoom()
  const measuring = every(clock, 10_000, measureRoom)

  const facts = readHostFacts()
  const metrics = hostMetricsOf(options.folder)
  const core = createDeviceCore({
    name,
    fleet,
    bus,
    journal,
    runner,
    clock,
    chance: systemChance,
    log,
    boot: readBootId(),
    version,
    labels: () => ({ ...facts, ...options.labels }),
    capacity: options.capacity,
    metrics,
    spoolBudget: () => budget,
  })
  const socket = await openLocalSocket(paths.socket, {
    status: () => ({
      device: name,
      fleet,
      version,
      pid: process.pid,
      url: options.url,
      ...core.link.status(),
      ...(bus.isConnected() ? {} : { problem: bus.lastError() ?? null }),
      capacity: options.capacity,
      running: core.supervisor.runs(),
      unacknowledged: { streams: journal.openStreams().length, log_bytes: journal.logBytes() },
      metrics: metrics(),
    }),
  })
  // It works without a controller: whatever is left is taken up before there is a connection.
  core.start().catch((error: unknown) => log.error({ err: error }, 'cannot subscribe'))

  const end = async (): Promise<void> => {
    measuring.cancel()
    await socket.close()
    await bus.close()
    await runner.close()
    journal.close()
  }
  return {
    /** Ends everything that runs, within its grace, and leaves. */
    shutdown: async (): Promise<void> => {
      await core.shutdown()
      for (let waited = 0; waited < farewellMs && bus.isConnected() && journal.openStreams().length > 0; waited += 50)
        await sleep(clock, 50)
      core.farewell()
      await sleep(clock, 20)
      await end()
    },
    /** Leaves what runs alone, and goes. */
    leave: async (): Promise<void> => {
      core.abandon()
      await end()
    },
  }
}
