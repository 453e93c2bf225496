import { place, type Room } from './core/placement.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { QueueRow } from './store/queue.ts'
import type { Store } from './store/store.ts'

/** How many rows of a lane are read at a time. */
const headSize = 64

/**
 * Finds work for devices with room. It looks only at what has changed since the last pass, lanes with new work and devices with
 * new room, so that a pass costs what it dispatches; `all` looks at everything.
 */
export const createDispatcher = (store: Store, fleet: Fleet, execution: Execution) => {
  const lanesChanged = new Set<string>()
  const devicesChanged = new Set<string>()
  let everything = true
  /** Where the last pass ended in the ring of devices, so that each gets its turn. */
  let turn = 0

  const roomsOf = (candidates: Iterable<FleetDevice>): Room[] => {
    const rooms: Room[] = []
    const selectors = [...fleet.waiting.keys()].filter((lane) => lane.startsWith('?'))
    for (const device of candidates) {
      const free = fleet.freeOf(device)
      if (free <= 0) continue
      const own = `=${device.row.name}`
      const lanes = selectors.filter((lane) => fleet.inLane(fleet.lane(lane), device))
      if (fleet.waiting.has('*')) lanes.push('*')
      if (fleet.waiting.has(own)) lanes.push(own)
      if (lanes.length > 0) rooms.push({ device: device.row.name, free, lanes })
    }
    return rooms
  }

  const candidates = (): FleetDevice[] => {
    const ring = [...fleet.devices.values()]
    turn = ring.length > 0 ? (turn + 1) % ring.length : 0
    const turned = [...ring.slice(turn), ...ring.slice(0, turn)]
    if (everything) return turned
    const shared = [...lanesChanged].some((lane) => !lane.startsWith('='))
    if (shared) return turned.filter((device) => fleet.freeOf(device) > 0)
    const names = new Set([...devicesChanged, ...[...lanesChanged].map((lane) => lane.slice(1))])
    return [...names].flatMap((name) => fleet.devices.get(name) ?? [])
  }

  return {
    laneHasMore: (lane: string): void => {
      lanesChanged.add(lane)
    },
    roomFor: (device: string): void => {
      devicesChanged.add(device)
    },
    all: (): void => {
      everything = true
    },
    /** Dispatches what can be dispatched now; runs inside a transaction. */
    pass: (): void => {
      const hasCause = everything || lanesChanged.size > 0 || devicesChanged.size > 0
      if (hasCause && fleet.waiting.size > 0) {
        const heads = openHeads(store)
        const placed = place(roomsOf(candidates()), heads)
        for (const { device, waiting } of placed) {
          const entry = fleet.devices.get(device)
          if (entry) execution.dispatch(waiting, entry)
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
