import { matches, parseSelector, type Requirement } from '../../schemas/selector.ts'
import type { Target } from '../../schemas/task.ts'

/**
 * A lane is what waits for the same devices: `*` any device, `=name` one device, `?selector` those that match. The queue is
 * read lane by lane, so that work for a device that is away or busy is never in the way of other work.
 */
export type Lane =
  | { kind: 'any' }
  | { kind: 'device'; device: string }
  | { kind: 'selector'; text: string; requirements: Requirement[] }

export const laneOf = (target: Target): string => {
  if (target.device !== undefined) return deviceLane(target.device)
  if (target.selector !== undefined && target.selector.trim() !== '') return `?${target.selector.trim()}`
  return '*'
}

export const deviceLane = (device: string): string => `=${device}`

export const readLane = (lane: string): Lane => {
  if (lane.startsWith('=')) return { kind: 'device', device: lane.slice(1) }
  if (lane.startsWith('?')) {
    const selector = parseSelector(lane.slice(1))
    // It was checked when the task came in; should the grammar ever narrow, it matches nothing.
    return selector.ok
      ? { kind: 'selector', text: lane.slice(1), requirements: selector.requirements }
      : { kind: 'device', device: '' }
  }
  return { kind: 'any' }
}

/** Whether a device belongs to a lane, busy or not. */
export const isInLane = (lane: Lane, device: { name: string; labels: Readonly<Record<string, string>> }): boolean => {
  switch (lane.kind) {
    case 'any':
      return true
    case 'device':
      return lane.device === device.name
    case 'selector':
      return matches(lane.requirements, device.labels)
  }
}
