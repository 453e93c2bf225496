import type { Chance } from '../base/chance.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { DeviceState, Heartbeat, Hello, LogChunk, RunReport, Welcome } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { Store } from './store/store.ts'
import { bodyOf } from './store/tasks.ts'

/** Acknowledgements are lazy: what came within this time, or this many bytes, is acknowledged together. */
const ackAfterMs = 200
const ackAfterBytes = 1024 * 1024

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
  const due = new Map<string, { streams: Set<string>; again: Set<string>; heard: number | null }>()
  let dueBytes = 0
  let timer: Timer | undefined

  const acknowledge = (device: string, stream: string | null, bytes: number, again = false): void => {
    const entry = due.get(device) ?? { streams: new Set(), again: new Set(), heard: null }
    due.set(device, entry)
    if (stream !== null) entry.streams.add(stream)
    if (stream !== null && again) entry.again.add(stream)
    dueBytes += bytes
    if (again || dueBytes >= ackAfterBytes) sendAcks()
    else timer ??= clock.after(ackAfterMs, sendAcks)
  }

  const sendAcks = (): void => {
    timer?.cancel()
    timer = undefined
    dueBytes = 0
    for (const [name, { streams, again, heard }] of due) {
      const device = fleet.devices.get(name)
      if (!device?.row.journal) continue
      const cursors: Record<string, number> = {}
      for (const stream of streams) cursors[stream] = cursorOf(device, stream)
      effects.sendCommand(name, 'ack', {
        journal: device.row.journal,
        cursors,
        ...(again.size > 0 ? { again: [...again] } : {}),
        ...(heard !== null ? { heard_mono_ms: heard } : {}),
        ...(device.isReady ? {} : { hello: true }),
      })
    }
    due.clear()
  }

  const cursorOf = (device: FleetDevice, stream: string): number =>
    stream === 'runs' ? device.row.cursor : stream.startsWith('log:') ? store.logs.lastSeq(stream.slice(4)) : 0

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
        if (device.row.journal !== null && device.row.journal !== hello.journal) loseJournal(device, device.row.journal)
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
        effects.command(name, 'welcome', welcome(device, hello))
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
          if (gap !== undefined) acknowledge(name, 'runs', bytes, gap)
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
        .then(({ gap }) => acknowledge(name, `log:${chunk.source}`, bytes, gap))
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
      if (beat.answer || !device.isReady) {
        acknowledge(name, 'runs', 0)
        const entry = due.get(name)
        if (entry) entry.heard = beat.mono_ms
      }
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

    close: (): void => {
      timer?.cancel()
    },
  }

  /** The device has a new memory: nothing that the old one had will ever be heard of again, and must not be sent again. */
  function loseJournal(device: FleetDevice, journal: string): void {
    store.devices.retireJournal(device.row.name, journal)
    for (const id of [...device.live]) {
      const lease = fleet.leases.get(id)
      if (!lease) continue
      if (isRunOver(lease.run.state)) {
        const confirmed = { ...lease.run, confirmed: 1 }
        store.runs.update(confirmed)
        fleet.release(confirmed)
      } else if (lease.run.cancel_requested_at !== null) execution.end(lease.run, 'cancelled', 'journal_lost', 1)
      else execution.end(lease.run, 'lost', 'journal_lost', null)
    }
    log.warn({ device: device.row.name }, 'device has a new journal')
  }

  /** Compares what the device has with what we think it has; sends again what it never got. */
  function welcome(device: FleetDevice, hello: Hello): Welcome {
    const name = device.row.name
    const has = new Set(hello.runs.map((one) => one.run))
    const unwanted: string[] = []
    const cancels: string[] = []
    for (const one of hello.runs) {
      const lease = fleet.leases.get(one.run)
      if (lease && lease.run.device === name) {
        lease.namedAtMono = clock.mono()
        execution.trust(lease.run)
        continue
      }
      const run = store.runs.get(one.run)
      if (!run) adopt(name, one)
      else if (isRunOver(run.state)) {
        const task = store.tasks.get(run.task_id)
        const isSuperseded = !task || isTaskOver(task.state) || task.attempt > run.attempt
        if (run.state === 'cancelled') cancels.push(run.run_id)
        else if (isSuperseded && task && task.attempt > run.attempt) unwanted.push(run.run_id)
      }
    }
    // Of a run that ended there its device may have had the word acknowledged by the database that we were restored from.
    const ended = new Set(hello.runs.filter((one) => isRunOver(one.state)).map((one) => one.run))
    for (const id of device.live) {
      const lease = fleet.leases.get(id)
      if (!lease) continue
      if (lease.run.cancel_requested_at !== null) cancels.push(id)
      else if ((!has.has(id) || ended.has(id)) && !isRunOver(lease.run.state)) execution.orderAgain(lease.run)
    }
    const cursors: Record<string, number> = {}
    for (const stream of Object.keys(hello.streams)) cursors[stream] = cursorOf(device, stream)
    return {
      nonce: hello.nonce,
      at: instant(clock.now()),
      cursors,
      wanted: hello.runs.map((one) => one.run).filter((run) => fleet.leases.has(run)),
      unwanted,
      cancels: [...new Set(cancels)],
      heartbeat_seconds: deps.heartbeatMs / 1000,
      revision: 0,
    }
  }

  /** A run that we do not know, on a device of ours: our database was restored. It is recorded from the device's word. */
  function adopt(device: string, one: Hello['runs'][number]): void {
    const now = clock.now()
    const taskId = one.task ?? one.run
    const attempt = Number(/-(\d+)$/.exec(one.run)?.[1] ?? 1)
    const known = store.tasks.get(taskId)
    if (!known) {
      const body = {
        type: 'command',
        payload: {},
        priority: 'medium',
        source: 'adopted',
        target: { device },
        options: {},
        metadata: {},
        tags: [],
      }
      const task = store.tasks.insert(
        {
          task_id: taskId,
          state: 'active',
          reason: 'adopted',
          type: 'command',
          rank: 2,
          source: 'adopted',
          requested_by: device,
          repository: null,
          target_device: device,
          device,
          body: JSON.stringify(body),
          idempotency_key: null,
          fingerprint: '',
          retry_of: null,
          attempt,
          open: 1,
          worst: null,
          exit_code: null,
          created_at: now,
          started_at: null,
          ended_at: null,
          cancel_requested_at: null,
        },
        [],
      )
      effects.taskChanged(task)
    }
    const place = known && execution.takePlace(known, device, attempt)
    const run = {
      run_id: one.run,
      task_id: taskId,
      attempt,
      device,
      journal: fleet.devices.get(device)?.row.journal ?? null,
      lane: place?.lane ?? `=${device}`,
      tries: place ? place.tries + 1 : attempt,
      state: 'accepted' as const,
      reason: 'adopted',
      exit_code: null,
      signal: null,
      dispatched_at: now,
      accepted_at: now,
      started_at: null,
      ended_at: null,
      // Cancelled before its device came: it is to stop there as well.
      cancel_requested_at: known?.cancel_requested_at ?? null,
      confirmed: null,
      start_before: null,
      log: null,
      late: null,
    }
    store.runs.insert(run)
    effects.runChanged(run)
    fleet.hold(run, known ? bodyOf(known).options : {})
  }
}
export type Exchange = ReturnType<typeof createExchange>
