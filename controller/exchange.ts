import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { DeviceState, Heartbeat, Hello, LogChunk, RunReport } from '../schemas/exchange.ts'
import { createAcknowledgements } from './acknowledgements.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import { createReconciliation } from './reconciliation.ts'
import type { Store } from './store/store.ts'

export interface ExchangeDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  commits: GroupCommit
  logCommits: GroupCommit
  clock: Clock
  chance: Chance
  log: Log
  heartbeatMs: number
  /** A device has seen a higher epoch than ours: we were restored from a backup and go one above it. */
  raiseEpoch: (above: number) => void
  /** A device may have room now. */
  roomFor: (device: string) => void
}

/**
 * The controller's half of the exchange: takes in what devices send, by (journal, seq) and never by arrival, commits it, and
 * acknowledges what is committed. Whatever is old, foreign or out of order changes nothing and is answered with where we are.
 */
export const createExchange = (deps: ExchangeDeps) => {
  const { store, fleet, effects, execution, commits, logCommits, clock, log } = deps
  const acks = createAcknowledgements({ store, fleet, effects, clock })
  const reconcile = createReconciliation({ store, fleet, effects, execution, clock, log, heartbeatMs: deps.heartbeatMs })

  const heard = (device: FleetDevice): void => {
    if (fleet.isSilent(device)) deps.roomFor(device.row.name)
    device.heardAtMono = clock.mono()
    device.row.last_seen_at = clock.now()
  }

  return {
    hello: (name: string, hello: Hello): Promise<void> =>
      commits.run(() => {
        const now = clock.now()
        if (!fleet.devices.has(name)) {
          store.devices.join(name, now)
          const row = store.devices.get(name)
          if (row) fleet.enter(row)
          effects.event('device', 'skein.device.joined', name, { device: name })
        }
        const device = fleet.devices.get(name)
        if (!device) return
        if (store.devices.isRetired(name, hello.journal)) return
        if (device.row.journal === hello.journal && hello.session < device.row.session) return
        if (device.row.journal !== null && device.row.journal !== hello.journal) reconcile.loseJournal(device, device.row.journal)
        if (hello.epoch > 0) deps.raiseEpoch(hello.epoch)

        const cursor = device.row.journal === hello.journal ? device.row.cursor : 0
        const row = {
          ...device.row,
          journal: hello.journal,
          session: hello.session,
          cursor,
          labels: JSON.stringify(hello.labels),
          capacity: hello.capacity,
          version: hello.version,
          last_seen_at: now,
        }
        store.devices.update(row)
        fleet.setFacts(device, row)
        heard(device)
        const wasReady = device.isReady
        device.isConnected = true
        device.isReady = true
        device.nonce = hello.nonce
        if (!wasReady)
          effects.event('device', 'skein.device.online', name, { device: name, state: 'online', session: hello.session })
        effects.command(name, 'welcome', reconcile.welcome(device, hello))
        deps.roomFor(name)
      }),

    report: (name: string, report: RunReport, bytes: number): Promise<void> =>
      commits
        .run(() => {
          const device = fleet.devices.get(name)
          if (!device || device.row.journal !== report.journal) return undefined
          heard(device)
          const acknowledgedBefore = typeof report['acked'] === 'number' ? report['acked'] : 0
          let cursor = Math.max(device.row.cursor, acknowledgedBefore)
          let gap = false
          for (const change of [...report.changes].sort((a, b) => a.seq - b.seq)) {
            if (change.seq <= cursor) continue
            if (change.seq > cursor + 1) {
              gap = true
              break
            }
            execution.report(name, change)
            cursor = change.seq
          }
          if (cursor !== device.row.cursor) {
            device.row.cursor = cursor
            store.devices.setCursor(name, cursor)
          }
          deps.roomFor(name)
          return gap
        })
        .then((gap) => {
          if (gap !== undefined) acks.owe(name, 'runs', bytes, gap)
        }),

    chunk: (name: string, chunk: LogChunk, bytes: number): Promise<void> => {
      const device = fleet.devices.get(name)
      const lease = fleet.leases.get(chunk.source)
      const owner = lease?.run.device ?? store.runs.get(chunk.source)?.device
      if (!device || owner !== name || device.row.journal !== chunk.journal) return Promise.resolve()
      heard(device)
      if (lease) lease.namedAtMono = clock.mono()
      const acknowledgedBefore = typeof chunk['acked'] === 'number' ? chunk['acked'] : 0
      return logCommits
        .run(() => store.logs.append(name, chunk, acknowledgedBefore))
        .then(({ gap }) => acks.owe(name, `log:${chunk.source}`, bytes, gap))
    },

    heartbeat: (name: string, beat: Heartbeat): void => {
      const device = fleet.devices.get(name)
      if (!device || beat.session < device.row.session) return
      heard(device)
      device.metrics = beat.metrics ?? null
      const unknown: string[] = []
      for (const run of beat.running) {
        const lease = fleet.leases.get(run)
        if (!lease || lease.run.device !== name) continue
        lease.namedAtMono = clock.mono()
        if (lease.run.state === 'unknown') unknown.push(run)
      }
      if (unknown.length > 0) {
        commits
          .run(() => {
            for (const run of unknown) {
              const lease = fleet.leases.get(run)
              if (lease) execution.trust(lease.run)
            }
          })
          .catch((error: unknown) => log.error({ err: error, device: name }, 'cannot store that runs were heard of again'))
      }
      // A device that does not know this controller yet learns of its epoch, and says hello.
      if (beat.answer || !device.isReady) acks.heard(name, beat.mono_ms)
    },

    state: (name: string, state: DeviceState): void => {
      const device = fleet.devices.get(name)
      if (!device || state.session < device.row.session) return
      if (state.state === 'online') {
        if (state.session === device.row.session) device.isConnected = true
        return
      }
      if (!device.isConnected) return
      device.isConnected = false
      device.isReady = false
      commits
        .run(() => {
          store.devices.setSeen(name, device.row.last_seen_at ?? clock.now())
          effects.event('device', 'skein.device.offline', name, { device: name, state: 'offline', reason: state.reason ?? null })
        })
        .catch((error: unknown) => log.error({ err: error, device: name }, 'cannot store that a device went offline'))
    },

    close: acks.close,
  }
}
export type Exchange = ReturnType<typeof createExchange>
