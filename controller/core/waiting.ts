import { isInLane, type Lane } from './lanes.ts'

export interface Candidate {
  name: string
  labels: Readonly<Record<string, string>>
  isReady: boolean
  drained: boolean
  /** Why it takes no new work now. */
  refuses: string | null
  free: number
}

export const hindrances = ['busy', 'takes nothing new', 'not connected', 'drained'] as const
/** What keeps a device from work that is meant for it; the last of these that holds. */
export type Hindrance = (typeof hindrances)[number]

export const hindranceOf = (device: Candidate): Hindrance | null => {
  if (device.drained) return 'drained'
  if (!device.isReady) return 'not connected'
  if (device.refuses !== null) return 'takes nothing new'
  return device.free <= 0 ? 'busy' : null
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
  // For an agent it says more than whoever asked has said.
  if (inLane.length === 0)
    return `no device matches the selector${lane.kind === 'selector' ? ` ${lane.text}` : ''} (${known} known)`
  const ready = inLane.filter((device) => {
    const hindrance = hindranceOf(device)
    return hindrance !== 'drained' && hindrance !== 'not connected'
  })
  if (ready.length === 0) {
    const drained = inLane.filter((device) => device.drained).length
    return drained === inLane.length
      ? `drained: ${some(inLane)}`
      : `not connected: ${some(inLane.filter((device) => !device.isReady))}`
  }
  const taking = ready.filter((device) => hindranceOf(device) !== 'takes nothing new')
  if (taking.length === 0) return `takes nothing new: ${ready[0]?.name} (${ready[0]?.refuses})${more(ready)}`
  return taking.every((device) => hindranceOf(device) === 'busy') ? `busy: ${some(taking)}` : 'about to be dispatched'
}

const more = (devices: readonly Candidate[]): string => (devices.length > 1 ? ` and ${devices.length - 1} more` : '')

const some = (devices: readonly Candidate[]): string => {
  const names = devices.slice(0, 3).map((device) => device.name)
  return devices.length > 3 ? `${names.join(', ')} and ${devices.length - 3} more` : names.join(', ')
}
