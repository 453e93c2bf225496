import { isInLane, type Lane } from './lanes.ts'

export interface Candidate {
  name: string
  labels: Readonly<Record<string, string>>
  isReady: boolean
  drained: boolean
  free: number
}

/** Says in one line why something in a lane has not been dispatched yet. */
export const whyWaiting = (lane: Lane, dueAt: number | null, devices: Iterable<Candidate>): string => {
  if (dueAt !== null) return `waits for its retry at ${new Date(dueAt).toISOString()}`
  let known = 0
  const inLane: Candidate[] = []
  for (const device of devices) {
    known++
    if (isInLane(lane, device)) inLane.push(device)
  }
  if (lane.kind === 'device' && inLane.length === 0) return `no device named "${lane.device}" has joined`
  if (known === 0) return 'no device has joined yet'
  if (inLane.length === 0) return `no device matches the selector (${known} known)`
  const ready = inLane.filter((device) => device.isReady && !device.drained)
  if (ready.length === 0) {
    const drained = inLane.filter((device) => device.drained).length
    return drained === inLane.length
      ? `drained: ${some(inLane)}`
      : `not connected: ${some(inLane.filter((device) => !device.isReady))}`
  }
  return ready.every((device) => device.free <= 0) ? `busy: ${some(ready)}` : 'about to be dispatched'
}

const some = (devices: readonly Candidate[]): string => {
  const names = devices.slice(0, 3).map((device) => device.name)
  return devices.length > 3 ? `${names.join(', ')} and ${devices.length - 3} more` : names.join(', ')
}
