import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { thumbprintOf } from '../base/p256.ts'
import type { DeviceState, Heartbeat, Hello, RunReport } from '../schemas/exchange.ts'
import type { LogMessage } from '../schemas/log-message.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { runOfSource, sourceOf, streamOf } from '../schemas/sources.ts'
import { createAcknowledgements } from './acknowledgements.ts'
import type { ApprovalKeeping } from './approvals.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fetching } from './fetching.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import { createReconciliation, type WelcomeCredentials } from './reconciliation.ts'
import type { Store } from './store/store.ts'

export interface ExchangeDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  execution: Execution
  fetching: Fetching
  approvals: ApprovalKeeping
  commits: GroupCommit
  logCommits: GroupCommit
  clock: Clock
  chance: Chance
  log: Log
  heartbeatMs: number
  /** Our database is an old copy: of a run that a device does not name it cannot be told whether it ever ran. */
  isFromOldCopy: () => boolean
  /** A device has said how busy it is. */
  heardMetrics: (device: string, metrics: NonNullable<Heartbeat['metrics']>) => void
  /** What a welcome carries for the trust between the two. */
  credentialsFor: (device: FleetDevice, hello: Hello) => WelcomeCredentials
  /** A device has seen this epoch, and shows what was signed then: if it is higher than ours, we were restored from a backup. */
  heardOfEpoch: (epoch: number, proof: unknown) => void
  /** A device may have room now. */
  roomFor: (device: string) => void
  /** The revision that a device is to have which has seen this one. */
  desiredFor: (device: string, seen: number) => number
}

/**
 * The controller's half of the exchange: takes in what devices send, by (journal, seq) and never by arrival, commits it, and
 * acknowledges what is committed. Whatever is old, foreign or out of order changes nothing and is answered with where we are.
 */
export const createExchange = (deps: ExchangeDeps) => {
  const { store, fleet, effects, execution, fetching, approvals, commits, logCommits, clock, log } = deps
  const acks = createAcknowledgements({ store, fleet, effects, clock })
  const reconcile = createReconciliation({
    store,
    fleet,
    effects,
    execution,
    clock,
    log,
    heartbeatMs: deps.heartbeatMs,
    isFromOldCopy: deps.isFromOldCopy,
    credentialsFor: deps.credentialsFor,
    desiredFor: deps.desiredFor,
  })

  const heard = (device: FleetDevice): void => {
    if (fleet.isSilent(device)) deps.roomFor(device.row.name)
    device.heardAtMono = clock.mono()
    device.row.last_seen_at = clock.now()
  }

  /** A device has seen more of its logs acknowledged than is here: the database of logs was lost, or is an older copy. */
  const fetchLost = (name: string, { acked = {} }: Hello): void => {
    for (const [stream, seq] of Object.entries(acked)) {
      const source = sourceOf(stream) ?? ''
      if (store.logs.lastSeq(source) < seq && store.runs.get(runOfSource(source))?.device === name) fetching.ask(source, seq)
    }
  }

  return {
    hello: async (name: string, hello: Hello): Promise<void> => {
      // Not in the commit, whose work may be undone, and done twice: it is stored on its own, and its proof is good whoever shows it.
      deps.heardOfEpoch(hello.epoch, hello.proof)
      let wasReady: boolean | undefined
      return commits
        .run(() => {
          const now = clock.now()
          if (!fleet.devices.has(name)) {
            // One that was removed comes back with a token made since, not with what it had on its way.
            if (store.devices.get(name)?.removed === 1 && store.tokens.ofSubject(name)?.role !== 'device') return
            store.devices.join(name, now)
            const row = store.devices.get(name)
            if (row) fleet.enter(row)
            effects.event('device', 'skein.device.joined', name, { device: name })
          }
          const device = fleet.devices.get(name)
          if (!device) return
          if (store.devices.isRetired(name, hello.journal)) return
          if (device.row.journal === hello.journal && hello.session < device.row.session) return
          const isSameSession = device.row.journal === hello.journal && hello.session === device.row.session
          // What it was welcomed for last is what its commands carry: a late older hello must not bring back an older nonce.
          if (isSameSession && device.nonce !== null && hello.mono_ms < device.helloMono) return
          if (device.row.journal !== null && device.row.journal !== hello.journal)
            reconcile.loseJournal(device, device.row.journal)

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
            // Who shows keys first is believed: the broker has proved that the token is this device's. After that they stay.
            sign_key: device.row.sign_key ?? (hello.identity ? JSON.stringify(hello.identity.sign) : null),
            seal_key: device.row.seal_key ?? (hello.identity ? JSON.stringify(hello.identity.seal) : null),
          }
          store.devices.update(row)
          fleet.setFacts(device, row)
          heard(device)
          wasReady ??= device.isReady // the work may be done twice
          device.isConnected = true
          device.isReady = true
          device.nonce = hello.nonce
          device.helloMono = hello.mono_ms
          device.refuses = hello.refuses ?? null
          device.keys = hello.keys
          store.joinings.connected(name)
          if (!wasReady)
            effects.event('device', 'skein.device.online', name, { device: name, state: 'online', session: hello.session })
          const welcome = reconcile.welcome(device, hello)
          device.welcomedKeys = welcome.keys?.map(thumbprintOf)
          effects.command(name, 'welcome', welcome)
          approvals.welcomed(name)
          deps.roomFor(name)
        })
        .then(() => {
          // After the welcome that answers it, if there was one.
          const device = fleet.devices.get(name)
          if (device?.isReady && device.nonce === hello.nonce) fetchLost(name, hello)
        })
    },

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
            if (change.approval) approvals.heard(name, change)
            else if (isRunOver(change.state)) approvals.runEnded(name, change.run)
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

    chunk: (name: string, { head: chunk, records }: LogMessage, bytes: number): Promise<void> => {
      const device = fleet.devices.get(name)
      const id = runOfSource(chunk.source)
      const lease = fleet.leases.get(id)
      const owner = lease?.run.device ?? store.runs.get(id)?.device
      if (!device || owner !== name || device.row.journal !== chunk.journal) return Promise.resolve()
      heard(device)
      if (lease) lease.namedAtMono = clock.mono()
      return logCommits
        .run(() => store.logs.append(name, chunk, records))
        .then(({ gap, leftHole }) => {
          // What came once more was acknowledged long ago.
          if (chunk.again === undefined) acks.owe(name, streamOf(chunk.source), bytes, gap)
          fetching.took(chunk, leftHole)
        })
    },

    heartbeat: (name: string, beat: Heartbeat): void => {
      const device = fleet.devices.get(name)
      if (!device || beat.session < device.row.session) return
      heard(device)
      device.metrics = beat.metrics ?? null
      if (beat.metrics) deps.heardMetrics(name, beat.metrics)
      const refused = device.refuses !== null
      device.refuses = beat.refuses ?? null
      if (refused && device.refuses === null) deps.roomFor(name)
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

    /** What could not be stored was not acknowledged: all that are there say hello, and send it again at once. */
    startOver: (): void => {
      for (const device of fleet.devices.values()) {
        if (!device.isConnected) continue
        device.isReady = false
        acks.askHello(device.row.name)
      }
    },
    close: acks.close,
  }
}
export type Exchange = ReturnType<typeof createExchange>
