import { isInLane, type Lane, readLane } from './core/lanes.ts'
import type { FleetDevice } from './fleet.ts'

/** Lanes that are kept read, with who is in them. */
const mostLanes = 1000

/**
 * Where there is room: an index over the devices, so that finding one for a lane does not look at all of them. It may name a
 * device that has no room after all, which is then struck off; it never leaves out one that has, as long as `noteRoom` is
 * called whenever a device may have got some.
 */
export const createRooms = (devices: ReadonlyMap<string, FleetDevice>, freeOf: (device: FleetDevice) => number) => {
  /** In the order of their turn. */
  const roomy = new Map<string, FleetDevice>()
  const lanes = new Map<string, { lane: Lane; members: Set<string> }>()

  const isMember = (lane: Lane, device: FleetDevice): boolean => isInLane(lane, { name: device.row.name, labels: device.labels })

  const known = (name: string) => {
    let found = lanes.get(name)
    if (!found) {
      const lane = readLane(name)
      const members = [...devices.values()].filter((device) => lane.kind === 'selector' && isMember(lane, device))
      found = { lane, members: new Set(members.map((device) => device.row.name)) }
      if (lanes.size >= mostLanes) lanes.clear()
      lanes.set(name, found)
    }
    return found
  }

  const hasRoom = (device: FleetDevice): boolean => {
    if (devices.get(device.row.name) === device && freeOf(device) > 0) return true
    roomy.delete(device.row.name)
    return false
  }

  /** The devices of a lane that have room, in the order of their turn. */
  const inLane = function* (name: string): Generator<FleetDevice> {
    if (name.startsWith('=')) {
      const device = devices.get(name.slice(1))
      if (device && freeOf(device) > 0) yield device
      return
    }
    const { lane, members } = known(name)
    if (lane.kind === 'selector' && members.size < roomy.size) {
      for (const member of members) {
        const device = roomy.get(member)
        if (device && hasRoom(device)) yield device
      }
      return
    }
    for (const device of roomy.values())
      if ((lane.kind === 'any' || members.has(device.row.name)) && hasRoom(device)) yield device
  }

  return {
    inLane,
    /** Whether a device belongs to a lane, busy or not. */
    isMember: (name: string, device: FleetDevice): boolean => {
      const { lane, members } = known(name)
      return lane.kind === 'selector' ? members.has(device.row.name) : isMember(lane, device)
    },
    lane: (name: string): Lane => known(name).lane,
    /** It may have room, or more of it. */
    noteRoom: (device: FleetDevice): void => {
      if (!roomy.has(device.row.name) && freeOf(device) > 0) roomy.set(device.row.name, device)
    },
    /** It was given work: others come first now. */
    noteTurn: (device: FleetDevice): void => {
      if (roomy.delete(device.row.name) && freeOf(device) > 0) roomy.set(device.row.name, device)
    },
    /** It is new, or its labels have changed. */
    noteFacts: (device: FleetDevice): void => {
      for (const { lane, members } of lanes.values()) {
        if (lane.kind === 'selector' && isMember(lane, device)) members.add(device.row.name)
        else members.delete(device.row.name)
      }
    },
    reset: (): void => {
      roomy.clear()
      lanes.clear()
    },
  }
}
export type Rooms = ReturnType<typeof createRooms>
