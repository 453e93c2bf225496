import type { Clock } from '../base/clock.ts'
import { type Options, optionDefaults } from '../schemas/task.ts'
import type { Reported } from '../schemas/workload-status.ts'
import { createRooms } from './rooms.ts'
import type { DeviceRow } from './store/devices.ts'
import type { RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'
import { bodyOf } from './store/tasks.ts'

/** A device as the running controller sees it: its row, and what is true only while both live. */
export interface FleetDevice {
  row: DeviceRow
  labels: Readonly<Record<string, string>>
  isConnected: boolean
  /** It has said hello to this controller in its present session and was welcomed: it can be given work. */
  isReady: boolean
  nonce: string | null
  /** When, on its own monotonic clock, it said that hello: an older one that arrives late is void. */
  helloMono: number
  /** Thumbprints of the controller keys that it believes, if its hello said so. */
  keys: readonly string[] | undefined
  /** Those that its last welcome named. */
  welcomedKeys: readonly string[] | undefined
  heardAtMono: number
  /** The `mono_ms` of its last heartbeat that wanted an answer. */
  heardBeat: number | null
  metrics: Record<string, unknown> | null
  /** Why it takes no new work now, in its own words. */
  refuses: string | null
  /** What it has said of its workloads last. */
  reported: Reported | null
  /** The runs that occupy it. */
  live: Set<string>
}

/** A run that occupies a device. */
export interface Lease {
  run: RunRow
  lostAfterMs: number
  namedAtMono: number
  /** When its cancel was asked for, or when this controller took it up. */
  cancelAtMono: number
  /** When what has not been answered is sent again, and how often it was sent. */
  sendAtMono: number
  sends: number
}

/**
 * What the controller keeps in memory: the devices, the leases, and how much waits in each lane. All of it is derived from the
 * store; after a commit that failed it is read anew.
 */
export const createFleet = (store: Store, clock: Clock, silentAfterMs: number) => {
  const devices = new Map<string, FleetDevice>()
  const leases = new Map<string, Lease>()
  const waiting = new Map<string, number>()
  /** Those of the lanes in `waiting` that have a selector. */
  const waitingSelectors = new Set<string>()

  const enter = (row: DeviceRow): FleetDevice => {
    const device: FleetDevice = {
      row,
      labels: withOwn(row),
      isConnected: false,
      isReady: false,
      nonce: null,
      helloMono: 0,
      keys: undefined,
      welcomedKeys: undefined,
      heardAtMono: clock.mono(),
      heardBeat: null,
      metrics: null,
      refuses: null,
      reported: store.reported.get(row.name),
      live: new Set(),
    }
    devices.set(row.name, device)
    rooms.noteFacts(device)
    return device
  }

  const hold = (run: RunRow, options: Options): Lease => {
    const lease: Lease = {
      run,
      lostAfterMs: (options.lost_after_seconds ?? optionDefaults.lost_after_seconds) * 1000,
      namedAtMono: clock.mono(),
      cancelAtMono: clock.mono(),
      sendAtMono: clock.mono() + 10_000,
      sends: 1,
    }
    leases.set(run.run_id, lease)
    const device = devices.get(run.device)
    if (device) {
      device.live.add(run.run_id)
      rooms.noteTurn(device)
    }
    return lease
  }

  /** Nothing was heard of it for so long that its runs are in doubt: work for it would only be lost with them. */
  const isSilent = (device: FleetDevice): boolean => clock.mono() - device.heardAtMono >= silentAfterMs

  const freeOf = (device: FleetDevice): number =>
    device.isReady && !device.row.drained && device.refuses === null && !isSilent(device)
      ? device.row.capacity - device.live.size
      : 0

  const rooms = createRooms(devices, freeOf)

  const setWaiting = (lane: string, count: number): void => {
    if (count > 0) {
      waiting.set(lane, count)
      if (lane.startsWith('?')) waitingSelectors.add(lane)
    } else {
      waiting.delete(lane)
      waitingSelectors.delete(lane)
    }
  }

  return {
    devices,
    leases,
    waiting,
    enter,
    hold,
    /** It was removed. */
    leave: (name: string): void => {
      devices.delete(name)
    },
    release: (run: RunRow): void => {
      leases.delete(run.run_id)
      const device = devices.get(run.device)
      if (device?.live.delete(run.run_id)) rooms.noteRoom(device)
    },
    /** Reads everything from the store; what is known of connections stays. */
    reload: (): void => {
      const rows = store.devices.all()
      const stored = new Set(rows.map((row) => row.name))
      for (const name of [...devices.keys()]) if (!stored.has(name)) devices.delete(name)
      for (const row of rows) {
        const known = devices.get(row.name)
        if (!known) enter(row)
        else {
          known.row = row
          known.labels = withOwn(row)
          known.live.clear()
          known.reported = store.reported.get(row.name)
        }
      }
      rooms.reset()
      leases.clear()
      for (const run of store.runs.open()) {
        const task = store.tasks.get(run.task_id)
        hold(run, task ? bodyOf(task).options : {})
      }
      waiting.clear()
      waitingSelectors.clear()
      for (const [lane, count] of store.queue.lanes()) setWaiting(lane, count)
      for (const device of devices.values()) rooms.noteRoom(device)
    },
    setFacts: (device: FleetDevice, row: DeviceRow): void => {
      device.row = row
      device.labels = withOwn(row)
      rooms.noteFacts(device)
    },
    isSilent,
    freeOf,
    rooms,
    addWaiting: (lane: string, count: number): void => setWaiting(lane, (waiting.get(lane) ?? 0) + count),
    /** The lanes in which something waits that this device may take. */
    lanesFor: (device: FleetDevice): string[] => {
      if (waiting.size === 0) return []
      const own = `=${device.row.name}`
      const found = [...waitingSelectors].filter((lane) => rooms.isMember(lane, device))
      if (waiting.has('*')) found.push('*')
      if (waiting.has(own)) found.push(own)
      return found
    },
  }
}
export type Fleet = ReturnType<typeof createFleet>

/** A device's labels: those it gave, and what the controller knows of it. */
const withOwn = (row: DeviceRow): Record<string, string> => ({
  ...(JSON.parse(row.labels) as Record<string, string>), // stored from a checked hello
  ...(JSON.parse(row.own_labels) as Record<string, string>), // stored from checked input
  ...(row.drained ? { drained: 'true' } : {}),
})
