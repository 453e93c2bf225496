import { z } from 'zod'
import type { Bus, Message } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import { type Clock, every, type Timer } from '../base/clock.ts'
import { startGroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { ControllerState, DeviceState, Heartbeat, Hello, LogChunk, RunReport } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { filterOf, readTopic, topicOf } from '../schemas/topics.ts'
import type { Ask } from './asking.ts'
import { createAudit } from './audit.ts'
import { silentAfterMs } from './core/leases.ts'
import { createDispatcher } from './dispatcher.ts'
import { openMqttDoor } from './doors/mqtt.ts'
import { createEffects } from './effects.ts'
import { createExchange } from './exchange.ts'
import { createExecution } from './execution.ts'
import { createFleet } from './fleet.ts'
import { createIntake } from './intake.ts'
import { createOperations } from './operations.ts'
import type { Store } from './store/store.ts'
import { createViews } from './views.ts'
import { createWatch } from './watch.ts'

export interface ControllerDeps {
  fleet: string
  store: Store
  bus: Bus
  clock: Clock
  chance: Chance
  log: Log
  heartbeatMs: number
  /** Another controller of a higher epoch has been seen: this one must stop. */
  overtaken: (epoch: number) => void
  /** Told whenever the epoch is set: at the start, and when it has to rise. */
  onEpoch: (epoch: number) => void
}

export interface Controller {
  ask: Ask
  epoch(): number
  isReady(): boolean
  close(): Promise<void>
}

/** The controller over its store and its bus: decides what runs where, and keeps the record of it. */
export const startController = async (deps: ControllerDeps): Promise<Controller> => {
  const { fleet: fleetName, store, bus, clock, chance, log, heartbeatMs } = deps
  let epoch = nextEpoch(store, chance)
  deps.onEpoch(epoch)
  let isReady = false

  const fleet = createFleet(store, clock, silentAfterMs(heartbeatMs))
  fleet.reload()
  const views = createViews(store, fleet, clock)
  const show = (taskId: string) => {
    const row = store.tasks.get(taskId)
    return row ? views.taskInFull(row) : null
  }
  const effects = createEffects({ fleet: fleetName, bus, clock, chance, epoch: () => epoch, show })
  const execution = createExecution({ store, fleet, effects, clock, chance, heartbeatMs })
  const dispatcher = createDispatcher(store, fleet, execution)
  const commits = startGroupCommit(store.db, clock, {
    before: () => dispatcher.pass(),
    committed: () => effects.perform(),
    failed: (error) => {
      log.error({ err: error }, 'cannot commit; nothing of this group is stored')
      effects.clear()
      fleet.reload()
      dispatcher.all()
    },
  })
  const logCommits = startGroupCommit(store.logDb, clock, {
    failed: (error) => log.error({ err: error }, 'cannot store log lines; devices keep them'),
  })
  const announce = (state: 'online' | 'offline') => {
    const payload: ControllerState = { state, epoch, at: instant(clock.now()) }
    bus.publish(topicOf(fleetName, 'controllerState', {}), JSON.stringify(payload), { qos: 1, retain: true })
  }
  const raiseEpoch = (above: number) => {
    if (above <= epoch) return
    epoch = above + 1
    store.meta.set('epoch', String(epoch))
    deps.onEpoch(epoch)
    log.warn({ epoch }, 'a device has seen a higher epoch: this controller was restored and goes above it')
    announce('online')
  }
  const exchange = createExchange({
    store,
    fleet,
    effects,
    execution,
    commits,
    logCommits,
    clock,
    chance,
    log,
    heartbeatMs,
    raiseEpoch,
    roomFor: dispatcher.roomFor,
  })
  const watch = createWatch({
    fleetName,
    store,
    fleet,
    effects,
    execution,
    dispatcher,
    commits,
    clock,
    log,
    heartbeatMs,
    isConnected: bus.isConnected,
  })
  const intake = createIntake({ store, fleet, effects, dispatcher, clock, chance })
  const audit = createAudit({ effects, commits, log })
  const ask = createOperations({
    fleetName,
    store,
    fleet,
    execution,
    intake,
    views,
    commits,
    audit,
    clock,
    epoch: () => epoch,
  })

  /** Reads a message of a device through its schema and hands it on; what does not fit is logged and dropped. */
  const from =
    <T>(schema: z.ZodType<T>, take: (device: string, value: T, bytes: number) => Promise<void> | void) =>
    (message: Message) => {
      const device = readTopic(fleetName, message.topic)?.params['device']
      if (device === undefined) return
      const value = schema.safeParse(readJson(message.payload))
      if (!value.success) {
        log.warn({ topic: message.topic, problem: z.prettifyError(value.error) }, 'message from a device does not fit')
        return
      }
      Promise.resolve(take(device, value.data, message.payload.length)).catch((error: unknown) =>
        log.error(
          { err: error, topic: message.topic },
          'message from a device could not be stored; the device will send it again',
        ),
      )
    }

  await bus.subscribe(filterOf(fleetName, 'deviceState'), from(DeviceState, exchange.state))
  await bus.subscribe(filterOf(fleetName, 'deviceHello'), from(Hello, exchange.hello))
  await bus.subscribe(filterOf(fleetName, 'deviceHeartbeat'), from(Heartbeat, exchange.heartbeat))
  await bus.subscribe(filterOf(fleetName, 'deviceRun'), from(RunReport, exchange.report))
  await bus.subscribe(filterOf(fleetName, 'deviceLog'), from(LogChunk, exchange.chunk))
  await bus.subscribe(filterOf(fleetName, 'controllerState'), (message) => {
    const state = ControllerState.safeParse(readJson(message.payload))
    if (!state.success) return
    if (state.data.epoch > epoch && state.data.state === 'online') return deps.overtaken(state.data.epoch)
    if (isReady && (state.data.epoch < epoch || state.data.state === 'offline')) announce('online')
  })
  await openMqttDoor({ fleet: fleetName, bus, ask, follow: effects.follow, audit, log })
  bus.onConnect(() => {
    watch.startAnew()
    announce('online')
  })
  isReady = true
  const ticking: Timer = every(clock, 1000, watch.tick)

  return {
    ask,
    epoch: () => epoch,
    isReady: () => isReady && bus.isConnected(),
    close: async () => {
      if (!isReady) return
      isReady = false
      ticking.cancel()
      commits.flush()
      logCommits.flush()
      exchange.close()
      announce('offline')
    },
  }
}

/** Random at first, one higher at each start, stored before it is used. */
const nextEpoch = (store: Store, chance: Chance): number => {
  const last = store.meta.get('epoch')
  const epoch = last === undefined ? 1 + Math.floor(chance.random() * 0x3fff_ffff) : Number(last) + 1
  store.meta.set('epoch', String(epoch))
  return epoch
}

const readJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined // the schema then refuses it, with the topic in the log
  }
}
