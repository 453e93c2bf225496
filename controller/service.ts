import { mkdirSync } from 'node:fs'
import type { Bus } from '../base/bus.ts'
import { systemChance } from '../base/chance.ts'
import { systemClock } from '../base/clock.ts'
import { holdFolder } from '../base/hold.ts'
import { startLifetime } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { pathsIn } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { bearerOf } from './bearer.ts'
import { startController } from './controller.ts'
import { type HttpDoor, startHttpDoor } from './doors/http.ts'
import type { TokenKey } from './identity/keys.ts'
import { registerLocalTokens } from './identity/local-tokens.ts'
import { openStore } from './store/store.ts'

export interface ControllerServiceOptions {
  data: string
  fleet: string
  key: TokenKey
  bus: Bus
  http: { bind: string; port: number }
  heartbeatSeconds: number
  log: Log
  overtaken: (epoch: number) => void
  /** The epoch of this controller, when it is known: its will carries it. */
  onEpoch?: (epoch: number) => void
}

export interface ControllerService {
  http: HttpDoor
  close(): Promise<void>
}

/** The controller as a service: its databases, its decisions, and its HTTP door; the same in the hub and apart. */
export const startControllerService = async (options: ControllerServiceOptions): Promise<ControllerService> => {
  const { data, fleet, key, bus, log } = options
  const lifetime = startLifetime()
  const paths = pathsIn(data)
  mkdirSync(paths.controller, { recursive: true, mode: 0o700 })
  // One that is about to end, because its parent was killed, gets the time for it.
  const hold = holdFolder(paths.controller, 'controller', process.pid, 10_000)
  if (!hold.ok) throw new Error(`Cannot use "${paths.controller}": the controller with pid ${hold.pid ?? '?'} does`)
  lifetime.own(hold)
  try {
    const store = lifetime.own(openStore(paths.controllerDb, paths.logDb))
    await registerLocalTokens(store, { paths, key, fleet, now: Date.now() })
    const controller = lifetime.own(
      await startController({
        fleet,
        store,
        bus,
        clock: systemClock,
        chance: systemChance,
        log,
        heartbeatMs: options.heartbeatSeconds * 1000,
        overtaken: options.overtaken,
        onEpoch: options.onEpoch ?? (() => undefined),
      }),
    )
    const http = lifetime.own(
      await startHttpDoor({
        ...options.http,
        ask: controller.ask,
        authenticate: bearerOf(store, key, fleet),
        isReady: () => ({ ready: controller.isReady(), checks: { store: store.db.open, bus: bus.isConnected() } }),
        log,
        version,
      }),
    )
    return { http, close: lifetime.close }
  } catch (error) {
    await lifetime.close()
    throw error
  }
}
