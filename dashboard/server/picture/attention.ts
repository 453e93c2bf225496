import type { Approval } from '../../../schemas/approval-operations.ts'
import type { Attention, AttentionKind } from '../../../schemas/dashboard.ts'
import type { Deployment } from '../../../schemas/deployment.ts'
import { attentionOf } from './deployments.ts'
import { figuresOf, type KnownDevice } from './devices.ts'

export interface AttentionFacts {
  devices: Iterable<KnownDevice>
  approvals: readonly Approval[]
  /** Tasks that ended `lost` lately. */
  lost: readonly { task_id: string; device: string | null; reason: string | null; at: number }[]
  /** Those that are under way, and those that ended badly lately. */
  deployments: readonly Deployment[]
  queue: { depth: number; oldest_seconds: number | null }
  damage: readonly string[]
  controller: boolean
  now: number
  mono: number
}

/** A disk that is this full soon keeps a device from working. */
const fullPercent = 90
const veryFullPercent = 97
/** Who waits longer than this waits for somebody. */
const stuckSeconds = 300
const mostShown = 50
const mostAlike = 5

const urgency: readonly AttentionKind[] = [
  'controller_away',
  'database_damaged',
  'approval',
  'deployment_failed',
  'crash_loop',
  'disk_full',
  'deployment_rolled_back',
  'deployment_paused',
  'run_lost',
  'workload_failed',
  'device_refuses',
  'workload_unhealthy',
  'queue_stuck',
  'device_stale',
  'device_offline',
]

/** What somebody should look at, the most urgent first: at most 50 of them, and how many there are. */
export const attentionTo = (facts: AttentionFacts): { shown: Attention[]; count: number } => {
  const all: Attention[] = [
    ...ofController(facts),
    ...facts.approvals.map(ofApproval),
    ...facts.lost.map(ofLost),
    ...facts.deployments.flatMap(attentionOf),
  ]
  for (const device of facts.devices) all.push(...ofDevice(device, facts))
  all.push(...together(all, 'device_offline', 'offline'), ...together(all, 'device_stale', 'silent'))
  all.sort(
    (a, b) =>
      Number(a.severity === 'warning') - Number(b.severity === 'warning') ||
      urgency.indexOf(a.kind) - urgency.indexOf(b.kind) ||
      (b.at ?? 0) - (a.at ?? 0),
  )
  return { shown: all.slice(0, mostShown), count: all.length }
}

/** A site that has lost its network is one thing to look at, not a hundred. Takes them out of the list. */
const together = (all: Attention[], kind: AttentionKind, how: string): Attention[] => {
  const alike = all.filter((one) => one.kind === kind)
  if (alike.length <= mostAlike) return []
  all.splice(0, all.length, ...all.filter((one) => one.kind !== kind))
  return [{ kind, severity: 'warning', says: `${alike.length.toLocaleString('en')} devices are ${how}`, at: null }]
}

const ofController = ({ controller, damage, queue }: AttentionFacts): Attention[] => {
  const found: Attention[] = []
  if (!controller)
    found.push({
      kind: 'controller_away',
      severity: 'critical',
      says: 'The controller is away: devices go on with what they have, and nothing new is given out',
      at: null,
    })
  for (const one of damage) found.push({ kind: 'database_damaged', severity: 'critical', says: one, at: null })
  if (queue.oldest_seconds !== null && queue.oldest_seconds > stuckSeconds)
    found.push({
      kind: 'queue_stuck',
      severity: 'warning',
      says: `${queue.depth.toLocaleString('en')} ${queue.depth === 1 ? 'task waits' : 'tasks wait'}, the oldest for ${spanOf(queue.oldest_seconds)}`,
      at: null,
    })
  return found
}

const ofApproval = (one: Approval): Attention => ({
  kind: 'approval',
  severity: 'critical',
  says: `An agent asks for permission: ${one.title}`,
  at: Date.parse(one.requested_at),
  device: one.device,
  approval: one.approval,
  ...(one.task_id === null ? {} : { task_id: one.task_id }),
})

const ofLost = (one: AttentionFacts['lost'][number]): Attention => ({
  kind: 'run_lost',
  severity: 'warning',
  says: `A task was lost${one.reason === null ? '' : `: ${one.reason}`}`,
  at: one.at,
  task_id: one.task_id,
  ...(one.device === null ? {} : { device: one.device }),
})

const ofDevice = (known: KnownDevice, { now, mono }: AttentionFacts): Attention[] => {
  const { device } = known.facts
  const found: Attention[] = []
  const { disk } = figuresOf(known.metrics)
  const silentSeconds = (mono - known.heardAtMono) / 1000
  if (known.state === 'offline') {
    const at = Number.isFinite(known.heardAtMono) ? Math.round(now - silentSeconds * 1000) : null
    // What was drained before it went was meant to go.
    if (!known.facts.drained)
      found.push({ kind: 'device_offline', severity: 'warning', says: 'The device is offline', at, device })
    return found
  }
  if (known.state === 'stale')
    found.push({
      kind: 'device_stale',
      severity: 'warning',
      says: `The device is connected and has been silent for ${spanOf(silentSeconds)}`,
      at: null,
      device,
    })
  if (disk !== null && disk >= fullPercent)
    found.push({
      kind: 'disk_full',
      severity: disk >= veryFullPercent ? 'critical' : 'warning',
      says: `The disk is ${disk} % full`,
      at: null,
      device,
    })
  if (known.refuses !== null)
    found.push({
      kind: 'device_refuses',
      severity: 'critical',
      says: `The device takes nothing new: ${known.refuses}`,
      at: null,
      device,
    })
  for (const one of known.reported?.workloads ?? []) {
    const about = { device, workload: one.name, at: one.last_ended_at === null ? null : Date.parse(one.last_ended_at) }
    const why = one.reason ?? one.last_error
    const because = why === null ? '' : `: ${why}`
    if (one.state === 'crash_loop')
      found.push({
        kind: 'crash_loop',
        severity: 'critical',
        says: `Workload ${one.name} ends again and again${because}`,
        ...about,
      })
    else if (one.state === 'failed')
      found.push({ kind: 'workload_failed', severity: 'warning', says: `Workload ${one.name} has failed${because}`, ...about })
    else if (one.health === 'unhealthy')
      found.push({
        kind: 'workload_unhealthy',
        severity: 'warning',
        says: `Workload ${one.name} is not healthy${because}`,
        ...about,
      })
  }
  return found
}

const spanOf = (seconds: number): string =>
  seconds < 120
    ? `${Math.round(seconds)} seconds`
    : seconds < 7200
      ? `${Math.round(seconds / 60)} minutes`
      : `${Math.round(seconds / 3600)} hours`
