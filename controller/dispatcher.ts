import { place, type Room } from './core/placement.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { QueueRow } from './store/queue.ts'
import type { Store } from './store/store.ts'

/** How many rows of a lane are read at a time. */
const headSize = 64

/**
 * Brings work and devices together. A pass looks only at what has changed since the last one, lanes with new work and devices
 * with new room, so that it costs what it dispatches; `all` looks at every lane in which something waits.
 */
export const createDispatcher = (
  store: Store,
  fleet: Fleet,
  execution: Execution,
  /** While it says no, what has changed is remembered for later. */
  mayDispatch: () => boolean = () => true,
) => {
  const lanesChanged = new Set<string>()
  const devicesChanged = new Set<string>()
  let everything = true

  /** Who may take what is new: of each lane as many devices as there is work in it. */
  const candidates = (): Set<FleetDevice> => {
    const found = new Set<FleetDevice>()
    for (const lane of everything ? fleet.waiting.keys() : lanesChanged) {
      let wanted = fleet.waiting.get(lane) ?? 0
      for (const device of wanted > 0 ? fleet.rooms.inLane(lane) : []) {
        found.add(device)
        wanted -= 1
        if (wanted === 0) break
      }
    }
    for (const name of devicesChanged) {
      const device = fleet.devices.get(name)
      if (device) found.add(device)
    }
    return found
  }

  const roomsOf = (devices: Iterable<FleetDevice>): Room[] => {
    const rooms: Room[] = []
    for (const device of devices) {
      const free = fleet.freeOf(device)
      const lanes = free > 0 ? fleet.lanesFor(device) : []
      if (lanes.length > 0) rooms.push({ device: device.row.name, free, lanes })
    }
    return rooms
  }

  return {
    laneHasMore: (lane: string): void => {
      lanesChanged.add(lane)
    },
    roomFor: (device: string): void => {
      const entry = fleet.devices.get(device)
      if (entry) fleet.rooms.noteRoom(entry)
      devicesChanged.add(device)
    },
    all: (): void => {
      for (const device of fleet.devices.values()) fleet.rooms.noteRoom(device)
      everything = true
    },
    /** The device for new work of this lane that may start at once: it has room, and nothing that waits already has a claim to it. */
    deviceFor: (lane: string): FleetDevice | undefined => {
      if (fleet.waiting.has(lane) || !mayDispatch()) return undefined
      for (const device of fleet.rooms.inLane(lane)) return fleet.lanesFor(device).length === 0 ? device : undefined
      return undefined
    },
    /** Dispatches what can be dispatched now; runs inside a transaction. */
    pass: (): void => {
      if (!mayDispatch()) return
      if (everything || lanesChanged.size > 0 || devicesChanged.size > 0) {
        let placed = 1
        // A device may take something else than what it was looked at for; then there may be another one for that.
        while (placed > 0 && fleet.waiting.size > 0) {
          const found = place(roomsOf(candidates()), openHeads(store))
          placed = found.length
          for (const { device, waiting } of found) {
            const entry = fleet.devices.get(device)
            if (entry) execution.dispatch(waiting, entry)
          }
        }
      }
      lanesChanged.clear()
      devicesChanged.clear()
      everything = false
    },
  }
}
export type Dispatcher = ReturnType<typeof createDispatcher>

/** The heads of the lanes during one pass: read a few rows at a time, each row handed out once. */
const openHeads = (store: Store) => {
  const rows = new Map<string, { list: QueueRow[]; next: number; isWhole: boolean }>()
  const read = (lane: string, count: number) => {
    const list = store.queue.head(lane, count)
    return { list, next: 0, isWhole: list.length < count }
  }
  return {
    peek: (lane: string): QueueRow | undefined => {
      let head = rows.get(lane)
      if (!head) {
        head = read(lane, headSize)
        rows.set(lane, head)
      }
      if (head.next >= head.list.length && !head.isWhole) {
        // Rows that were taken stay in the table until the pass has ended: read past them.
        const more = read(lane, head.list.length * 2)
        rows.set(lane, { ...more, next: head.next })
        head = rows.get(lane)
      }
      return head?.list[head.next]
    },
    pop: (lane: string): void => {
      const head = rows.get(lane)
      if (head) head.next++
    },
  }
}
