import type { DevicePresence } from '../../schemas/device.ts'
import { meets, type Requirement, requirementText } from '../../schemas/selector.ts'
import { isInLane, type Lane } from './lanes.ts'
import { type Candidate, type Hindrance, hindranceOf, hindrances, whyWaiting } from './waiting.ts'

export type PreviewedDevice = Candidate & { state: DevicePresence }

/** What a task asks of devices. */
export interface Asked {
  lane: Lane
  /** It goes to every device of the lane that is not drained when it is accepted. */
  isFanout: boolean
  /** A label without which a device that is named would refuse it: of the agent that is to do it. */
  needs: string | undefined
}

export interface Preview {
  says: string
  acceptable: boolean
  matching_count: number
  matching: { device: string; state: DevicePresence; free: number; waits: string | null }[]
  other_count: number
  others: { device: string; why: string }[]
}

/** So many devices are named in a list, and they may take so many bytes of JSON. */
const mostNamed = 200

/** Decides which devices would take a task now, which of them later, and why the others would not. `noMatch` is what a fan-out for nobody is told. */
export const previewOf = (
  { lane, isFanout, needs }: Asked,
  devices: readonly PreviewedDevice[],
  { noMatch, mostBytes }: { noMatch: string; mostBytes: number },
): Preview => {
  const isNamed = lane.kind === 'device'
  const matching: { device: PreviewedDevice; by: Hindrance | null }[] = []
  const others: { device: string; why: string }[] = []
  let refuses: string | undefined
  for (const device of devices) {
    const why = whyNot(lane, device)
    if (why !== undefined) others.push({ device: device.name, why })
    else if (isFanout && !isNamed && device.drained)
      others.push({ device: device.name, why: 'drained: a task for all devices leaves it out' })
    else if (isNamed && needs !== undefined && !Object.hasOwn(device.labels, needs)) {
      refuses = `${device.name} would refuse it: it has no ${needs}`
      others.push({ device: device.name, why: `${needs}: it has no ${needs}` })
    } else matching.push({ device, by: hindranceOf(device) })
  }
  matching.sort((a, b) => rankOf(a.by) - rankOf(b.by) || inOrder(a.device.name, b.device.name))
  others.sort((a, b) => inOrder(a.device, b.device))
  const acceptable = !isFanout || isNamed || matching.length > 0
  const shown = matching.slice(0, mostNamed).map(({ device, by }) => ({
    device: device.name,
    state: device.state,
    free: Math.max(0, device.free),
    waits: by === 'takes nothing new' ? `${by}: ${device.refuses}` : by,
  }))
  return {
    says: acceptable ? (refuses ?? outlook(lane, isFanout && !isNamed, matching, devices)) : noMatch,
    acceptable,
    matching_count: matching.length,
    matching: fitting(shown, mostBytes / 2),
    other_count: others.length,
    others: fitting(others.slice(0, mostNamed), mostBytes / 2),
  }
}

/** The part of a target that a device does not meet. */
const whyNot = (lane: Lane, device: Candidate): string | undefined => {
  if (isInLane(lane, device)) return undefined
  if (lane.kind === 'device') return `the task names ${lane.device}`
  const unmet = lane.kind === 'selector' ? lane.requirements.filter((one) => !meets(one, device.labels)) : []
  const [first] = unmet
  if (!first) return undefined
  const more = unmet.length > 1 ? ` (and ${unmet.length - 1} more)` : ''
  return `${short(requirementText(first))}: ${hasInstead(first, device.labels)}${more}`
}

const hasInstead = ({ key }: Requirement, labels: Candidate['labels']): string =>
  Object.hasOwn(labels, key) ? `it has ${key}=${labels[key]}` : `it has no ${key}`

const outlook = (
  lane: Lane,
  isForAll: boolean,
  matching: readonly { device: Candidate; by: Hindrance | null }[],
  devices: readonly Candidate[],
): string => {
  const [first] = matching
  const ready = matching.filter(({ by }) => by === null).length
  if (!first || (!isForAll && ready === 0) || (isForAll && matching.length === 1 && ready === 0))
    return `Waits: ${short(whyWaiting(lane, null, isForAll ? matching.map(({ device }) => device) : devices), 400)}`
  if (!isForAll) return ready === 1 ? `Runs on ${first.device.name} at once` : `Runs on one of ${ready} devices at once`
  const where = matching.length === 1 ? first.device.name : `${matching.length} devices`
  const later = hindrances.flatMap((by) => {
    const count = matching.filter((one) => one.by === by).length
    return count > 0 ? [{ count, when: whenOver(by, count) }] : []
  })
  const [most, ...rest] = later
  if (!most) return `Runs on ${where} at once`
  const who = most.count === matching.length ? 'all of them get' : `${most.count} of them ${most.count === 1 ? 'gets' : 'get'}`
  return [`Runs on ${where}; ${who} it ${most.when}`, ...rest.map(({ count, when }) => `${count} ${when}`)].join(', ')
}

/** When a device has the work that it cannot take at once. */
const whenOver = (by: Hindrance, count: number): string => {
  const [it, has, is, takes] = count === 1 ? ['it', 'has', 'is', 'takes'] : ['they', 'have', 'are', 'take']
  switch (by) {
    case 'busy':
      return `when ${it} ${has} room`
    case 'takes nothing new':
      return `when ${it} ${takes} work again`
    case 'not connected':
      return `when ${it} ${is} back`
    case 'drained':
      return `when ${it} ${is} undrained`
  }
}

const rankOf = (by: Hindrance | null): number => (by === null ? -1 : hindrances.indexOf(by))
const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const short = (text: string, most = 120): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)

/** As many from the beginning as fit. */
export const fitting = <T>(list: readonly T[], bytes: number): T[] => {
  let left = bytes
  return list.filter((one) => {
    left -= Buffer.byteLength(JSON.stringify(one)) + 1
    return left >= 0
  })
}
