import type { Bus } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import { type Clock, every, type Timer } from '../base/clock.ts'
import { isDamage } from '../base/damage.ts'
import type { Log } from '../base/log.ts'
import type { Family } from '../base/metrics.ts'
import { ControllerState } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { filterOf, topicOf } from '../schemas/topics.ts'
import { agentOperations } from './agent-operations.ts'
import { createApprovalKeeping } from './approvals.ts'
import type { Ask } from './asking.ts'
import { createAudit } from './audit.ts'
import { silentAfterMs } from './core/leases.ts'
import { startDeployments } from './deployments/deployments.ts'
import { createFacts } from './deployments/facts.ts'
import { deploymentOperations } from './deployments/operations.ts'
import { createDeviceAsking } from './device-asking.ts'
import { createDispatcher } from './dispatcher.ts'
import { openDeviceDoor, readJson } from './doors/devices.ts'
import { openMqttDoor } from './doors/mqtt.ts'
import { createEffects } from './effects.ts'
import { createEpochs } from './epochs.ts'
import { createExchange } from './exchange.ts'
import { createExecution } from './execution.ts'
import { createFetching } from './fetching.ts'
import { createFleet } from './fleet.ts'
import { givingUp } from './giving-up.ts'
import { type HostFacts, noHost } from './host-facts.ts'
import type { CommandKeyFiles } from './identity/command-keys.ts'
import type { TokenKeyFiles } from './identity/token-keys.ts'
import { createIntake } from './intake.ts'
import { createMetrics } from './metrics.ts'
import { startMetricsHistory, usualKeepMs } from './metrics-history/history.ts'
import { metricsOperation } from './metrics-history/operation.ts'
import { createOperations } from './operations.ts'
import { previewing } from './previewing.ts'
import { type Reading, readingHere } from './reading/reading.ts'
import { openBlobs } from './releases/blobs.ts'
import { createDesired } from './releases/desired.ts'
import { keptOfEachName, prune } from './releases/keeping.ts'
import { releaseOperations } from './releases/operations.ts'
import { startServing } from './releases/serving.ts'
import { createReporting } from './reporting.ts'
import { createRestored } from './restored.ts'
import { keepAll, type RetentionPolicy, startRetention } from './retention.ts'
import type { Store } from './store/store.ts'
import { startStoring } from './storing.ts'
import { createTaskLog } from './task-log.ts'
import { throughput } from './throughput.ts'
import { createTrust } from './trust.ts'
import { createViews } from './views.ts'
import { createWatch } from './watch.ts'
import { workloadOperations } from './workload-operations.ts'

export interface ControllerDeps {
  fleet: string
  store: Store
  bus: Bus
  clock: Clock
  chance: Chance
  log: Log
  heartbeatMs: number
  keys: CommandKeyFiles
  /** What tokens are signed with. */
  tokenKeys: TokenKeyFiles
  /** After a change of the keys: makes the tokens of this machine anew that are to be. */
  renewLocalTokens?: () => Promise<void>
  /** SHA-256 of the certificate that the broker shows, in hex. */
  certificate?: () => string | undefined
  /** Another controller of a higher epoch has been seen: this one must stop. */
  overtaken: (epoch: number) => void
  /** Who does the long reads; without one they are done here. */
  reading?: Reading
  host?: () => HostFacts
  /** A database is broken, and cannot be gone on with. */
  damaged?: (database: 'controller' | 'logs', error: unknown) => void
  /** How long what has ended is kept; for ever, if nothing is said. */
  retention?: RetentionPolicy
  /** How long the metrics of devices are kept. */
  keepMetricsMs?: number
  /** Where bundles of releases are kept. */
  blobs: string
  /** Told whenever the epoch is set: at the start, and when it has to rise. */
  onEpoch: (epoch: number) => void
}

export interface Controller {
  ask: Ask
  epoch(): number
  metrics(): Promise<Family[]>
  isReady(): boolean
  close(): Promise<void>
}

const pruneEveryMs = 3600_000

/** The controller over its store and its bus: decides what runs where, and keeps the record of it. */
export const startController = async (deps: ControllerDeps): Promise<Controller> => {
  const { fleet: fleetName, store, bus, clock, chance, log, heartbeatMs } = deps
  let isReady = false
  const reading = deps.reading ?? readingHere(store)
  const epochs = createEpochs({
    fleet: fleetName,
    meta: store.meta,
    chance,
    keys: deps.keys,
    log,
    changed: (epoch) => {
      deps.onEpoch(epoch)
      if (isReady) announce('online')
    },
  })

  const fleet = createFleet(store, clock, silentAfterMs(heartbeatMs))
  fleet.reload()
  const views = createViews(store, fleet, clock)
  const metrics = createMetrics()
  const show = (taskId: string) => {
    const row = store.tasks.get(taskId)
    return row ? views.taskInFull(row) : null
  }
  const effects = createEffects({
    fleet: fleetName,
    bus,
    clock,
    chance,
    epoch: epochs.now,
    keys: deps.keys,
    welcomedOf: (name) => fleet.devices.get(name),
    show,
    changed: metrics.changed,
  })
  const execution = createExecution({ store, fleet, effects, clock, chance, heartbeatMs })
  const dispatcher = createDispatcher(store, fleet, execution, () => !restored.isSettling())
  const storing = startStoring({
    ...{ store, fleet, dispatcher, effects, metrics, clock, log },
    damaged: (database, error) => deps.damaged?.(database, error),
    voided: () => {
      if (!isReady) return
      desired.forget()
      deployments.reload()
    },
    recovered: () => {
      // Before tokens of a key that was made meanwhile: the list that tells of it may be among what was not stored.
      trust.tellRevoked()
      exchange.startOver()
    },
  })
  const { commits, logCommits } = storing
  const keepMs = deps.keepMetricsMs ?? usualKeepMs
  const history = startMetricsHistory({ table: store.deviceMetrics, commits: logCommits, clock, log, keepMs })
  const restored = createRestored({ store, fleet, execution, commits, clock, log, settled: dispatcher.all })
  const announce = (state: 'online' | 'offline') => {
    const payload: ControllerState = {
      state,
      epoch: epochs.now(),
      at: instant(clock.now()),
      instance: epochs.instance,
      proof: epochs.proof(),
    }
    bus.publish(topicOf(fleetName, 'controllerState', {}), JSON.stringify(payload), { qos: 1, retain: true })
  }
  const giveUp = givingUp({ fleetName, effects, clock })
  const trust = createTrust({
    fleetName,
    store,
    fleet,
    execution,
    views,
    effects,
    commits,
    epochs,
    keys: deps.keys,
    tokenKeys: deps.tokenKeys,
    renewLocalTokens: deps.renewLocalTokens ?? (async () => undefined),
    certificate: deps.certificate ?? (() => undefined),
    roomFor: dispatcher.roomFor,
    leaving: (device) => desired.left(device),
    left: (device) => {
      void history.forget(device)
      deployments.stirred(device)
    },
    giveUp,
    clock,
    chance,
    log,
  })
  const blobs = openBlobs(deps.blobs, clock)
  const desired = createDesired({ fleetName, store, effects, keys: deps.keys, epoch: epochs.now, clock })
  const serving = startServing({ fleetName, bus, blobs, mayHave: desired.mayHave, clock, log })
  const facts = createFacts(fleet, store)
  const deployments = startDeployments({ store, effects, commits, desired, facts, isConnected: bus.isConnected, clock, log })
  const fetching = createFetching({ store, fleet, effects, clock })
  const approvals = createApprovalKeeping({ store, fleet, effects, commits, clock, log })
  const exchange = createExchange({
    approvals,
    store,
    fleet,
    effects,
    execution,
    fetching,
    commits,
    logCommits,
    clock,
    chance,
    log,
    heartbeatMs,
    heardOfEpoch: epochs.heardOf,
    credentialsFor: trust.credentialsFor,
    roomFor: dispatcher.roomFor,
    isFromOldCopy: restored.isOld,
    heardMetrics: history.heard,
    desiredFor: desired.welcomed,
  })
  const watch = createWatch({
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
    giveUp,
  })
  const intake = createIntake({ store, fleet, effects, execution, dispatcher, clock, chance })
  const asking = createDeviceAsking({ fleet, effects, clock })
  const audit = createAudit({ effects, commits, log })
  const retention = startRetention({
    store,
    reading,
    clock,
    log,
    policy: deps.retention ?? keepAll,
    removed: metrics.removed,
  })
  const operations = createOperations({
    fleetName,
    store,
    fleet,
    execution,
    intake,
    views,
    commits,
    audit,
    clock,
    reading,
    retention,
    effects,
    taskLog: createTaskLog({ store, fetching, reading, clock }),
    more: {
      ...trust.handlers,
      ...approvals.handlers,
      ...previewing({ views }),
      ...throughput({ reading, clock }),
      ...metricsOperation({ fleet, history, reading, clock }),
      ...agentOperations({ store, reading, asking, effects, commits, clock, chance }),
      ...workloadOperations({ fleet, views, asking, effects, commits, clock, chance }),
      ...releaseOperations({ store, blobs, commits, effects, clock }),
      ...deploymentOperations({ store, fleet, views, deployments, facts, commits, effects, clock, chance }),
    },
    used: trust.used,
    host: deps.host ?? noHost,
    epoch: epochs.now,
  })
  const ask = metrics.counted(async (asker, name, input) => {
    try {
      return await operations(asker, name, input)
    } catch (error) {
      if (isDamage(error)) deps.damaged?.('controller', error)
      throw error
    }
  })

  const reported = createReporting({ store, fleet, effects, commits, clock, changed: deployments.stirred })
  await openDeviceDoor({ fleet: fleetName, bus, exchange, reported, fetch: serving.asked, output: metrics.output, log })
  await bus.subscribe(filterOf(fleetName, 'controllerState'), (message) => {
    const state = ControllerState.safeParse(readJson(message.payload))
    if (!state.success) return
    const verdict = epochs.compare(state.data)
    if (verdict === 'overtaken') return deps.overtaken(state.data.epoch)
    if (isReady && verdict === 'stale') announce('online')
  })
  await bus.subscribe(filterOf(fleetName, 'controllerRevoked'), (message) => {
    if (message.retained) trust.seenRevoked(readJson(message.payload))
  })
  await openMqttDoor({ fleet: fleetName, bus, ask, follow: effects.follow, audit, log })
  bus.onConnect(() => {
    watch.startAnew()
    deployments.startAnew()
    announce('online')
    trust.tellRevoked()
  })
  isReady = true
  const ticking: Timer = every(clock, 1000, () => {
    watch.tick()
    if (bus.isConnected()) restored.tick()
    approvals.tick()
  })

  const pruning = every(clock, pruneEveryMs, () => {
    commits
      .run(() => prune({ store, blobs, now: clock.now() }, keptOfEachName, false))
      .catch((error: unknown) => log.error({ err: error }, 'cannot remove releases that nothing needs; trying again'))
  })

  return {
    ask,
    metrics: () => metrics.families({ fleet, views, reading, epoch: epochs.now() }),
    epoch: epochs.now,
    isReady: () => isReady && bus.isConnected(),
    close: async () => {
      if (!isReady) return
      isReady = false
      ticking.cancel()
      pruning.cancel()
      asking.close()
      await retention.close()
      history.close()
      storing.close()
      exchange.close()
      deployments.close()
      serving.close()
      blobs.close()
      trust.close()
      fetching.close()
      announce('offline')
    },
  }
}
