import { mkdirSync } from 'node:fs'
import type { Bus } from '../base/bus.ts'
import { systemChance } from '../base/chance.ts'
import { systemClock } from '../base/clock.ts'
import { isDamage, suspect } from '../base/damage.ts'
import { holdFolder } from '../base/hold.ts'
import type { HttpDoors, HttpListen } from '../base/http-doors.ts'
import { startLifetime } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { startLoopDelay } from '../base/loop-delay.ts'
import { expositionOf, type Family, gauge, processFamilies } from '../base/metrics.ts'
import { pathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { bearerOf } from './bearer.ts'
import { startController } from './controller.ts'
import { type HttpDoorDeps, startHttpDoor } from './doors/http.ts'
import { type HostFacts, hostFactsOf } from './host-facts.ts'
import type { CommandKeyFiles } from './identity/command-keys.ts'
import { registerLocalTokens } from './identity/local-tokens.ts'
import type { TokenKeyFiles } from './identity/token-keys.ts'
import { startReadingWorker } from './reading/reading-worker.ts'
import type { RetentionPolicy } from './retention.ts'
import { openSoundStore } from './store/store.ts'

export interface ControllerServiceOptions {
  data: string
  fleet: string
  tokenKeys: TokenKeyFiles
  commandKeys: CommandKeyFiles
  /** Makes the tokens of this machine anew that are to be, after a change of the keys. */
  issueLocalTokens: () => Promise<void>
  certificate?: () => string | undefined
  bus: Bus
  http: HttpListen
  heartbeatSeconds: number
  metricsOpen: boolean
  /** What stands in front of its HTTP door. */
  front?: HttpDoorDeps['front']
  retention: RetentionPolicy
  /** How long the metrics of devices are kept. */
  keepMetricsMs: number
  /** What the process has to tell beside the controller: in the hub, the broker. */
  moreMetrics?: () => Family[]
  part: string
  log: Log
  overtaken: (epoch: number) => void
  /** Its databases cannot be used any more: it must be started again. */
  broken: () => void
  /** The epoch of this controller, when it is known: its will carries it. */
  onEpoch?: (epoch: number) => void
}

export interface ControllerService {
  http: HttpDoors
  close(): Promise<void>
}

/** The controller as a service: its databases, its decisions, and its HTTP door; the same in the hub and apart. */
export const startControllerService = async (options: ControllerServiceOptions): Promise<ControllerService> => {
  const { data, fleet, tokenKeys, bus, log } = options
  const lifetime = startLifetime()
  const paths = pathsIn(data)
  mkdirSync(paths.controller, { recursive: true, mode: 0o700 })
  // One that is about to end, because its parent was killed, gets the time for it.
  const hold = holdFolder(paths.controller, 'controller', process.pid, 10_000)
  if (!hold.ok) throw new Error(`Cannot use "${paths.controller}": the controller with pid ${hold.pid ?? '?'} does`)
  lifetime.own(hold)
  try {
    const delay = lifetime.own(startLoopDelay({ log }))
    const { store, damage } = openSoundStore(paths.controllerDb, paths.logDb, Date.now())
    lifetime.own(store)
    for (const found of damage) log.error({ found }, 'a database is damaged')
    const hostFacts = hostFactsOf(paths, delay, damage)
    const register = (): Promise<void> => registerLocalTokens(store, { paths, keys: tokenKeys, fleet, now: Date.now() })
    await register()
    const damaged = (database: 'controller' | 'logs', error: unknown): void => {
      suspect(database === 'controller' ? paths.controllerDb : paths.logDb)
      log.fatal({ err: error, database }, 'a database is damaged; the next start sets it right')
      options.broken()
    }
    const reading = lifetime.own(
      startReadingWorker({
        file: paths.controllerDb,
        logFile: paths.logDb,
        clock: systemClock,
        log,
        damaged,
        script: new URL('./reader.js', import.meta.url),
      }),
    )
    const controller = lifetime.own(
      await startController({
        fleet,
        store,
        bus,
        clock: systemClock,
        chance: systemChance,
        log,
        reading,
        host: hostFacts,
        damaged,
        retention: options.retention,
        keepMetricsMs: options.keepMetricsMs,
        heartbeatMs: options.heartbeatSeconds * 1000,
        keys: options.commandKeys,
        tokenKeys,
        renewLocalTokens: async () => {
          await options.issueLocalTokens()
          await register()
        },
        ...(options.certificate ? { certificate: options.certificate } : {}),
        overtaken: options.overtaken,
        blobs: paths.blobs,
        onEpoch: options.onEpoch ?? (() => undefined),
      }),
    )
    const http = lifetime.own(
      await startHttpDoor({
        listen: options.http,
        clock: systemClock,
        ask: controller.ask,
        authenticate: bearerOf(store, tokenKeys, fleet),
        metrics: async () =>
          expositionOf([
            ...(await controller.metrics()),
            ...(options.moreMetrics?.() ?? []),
            ...storeFamilies(hostFacts().sizes),
            ...processFamilies(options.part, version, delay.report()),
          ]),
        metricsOpen: options.metricsOpen,
        front: options.front,
        isReady: () => ({ ready: controller.isReady(), checks: { store: store.db.open, bus: bus.isConnected() } }),
        log,
        version,
      }),
    )
    return { http, close: lifetime.close }
  } catch (error) {
    // The next start does not trust it, and comes up.
    if (isDamage(error)) suspect(paths.controllerDb)
    await lifetime.close()
    throw error
  }
}

const storeFamilies = (sizes: HostFacts['sizes']): Family[] => [
  gauge(
    'skein_store_bytes',
    'Size of the databases, with what has not been moved into them yet.',
    { controller: sizes.controller_bytes, logs: sizes.logs_bytes },
    'database',
  ),
  gauge('skein_disk_free_bytes', 'Free space where the databases are.', sizes.disk_free_bytes),
]
