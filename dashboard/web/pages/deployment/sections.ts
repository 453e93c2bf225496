import type { Deployment, DeploymentDevice, DeploymentDeviceState } from '../../../../schemas/deployment.ts'
import { batchText } from '../../deployments/words.ts'
import { countText } from '../../format/amounts.ts'

/** Devices of one batch, or of several that have all come to the same. */
export interface Section {
  /** Null: their turn is not known. */
  from: number | null
  to: number | null
  counts: Deployment['counts']
  /** Those that are worth a look. */
  open: readonly DeploymentDevice[]
  /** Those that are as they should be, or do nothing yet: by what they have in common. */
  folds: readonly Fold[]
}
export interface Fold {
  of: Calm
  devices: readonly DeploymentDevice[]
}

/** What devices have in common that need nobody's eye. */
type Calm = 'well' | 'back' | 'away' | 'waiting'
const calms: readonly Calm[] = ['well', 'back', 'away', 'waiting']

const calmOf = (state: DeploymentDeviceState): Calm | undefined => {
  switch (state) {
    case 'healthy':
    case 'skipped':
    case 'superseded':
      return 'well'
    case 'rolled_back':
      return 'back'
    case 'deferred':
      return 'away'
    case 'pending':
      return 'waiting'
    case 'deploying':
    case 'deployed':
    case 'failed':
    case 'rolling_back':
      return undefined
  }
}

/** So many devices are all shown. */
const mostInSight = 30

/** The devices by batch. Of many only those that are worth a look are in sight, and batches of which none is are one. */
export const sectionsOf = (devices: readonly DeploymentDevice[], most = mostInSight): Section[] => {
  const byBatch = new Map<number | null, DeploymentDevice[]>()
  for (const device of devices) {
    const batch = byBatch.get(device.batch)
    if (batch) batch.push(device)
    else byBatch.set(device.batch, [device])
  }
  const batches = [...byBatch].sort(([a], [b]) => (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY))
  if (devices.length <= most) return batches.map(([batch, all]) => section(batch, batch, all, all, []))
  const sections: Section[] = []
  for (const [batch, all] of batches) {
    const next = folded(batch, batch, all)
    const last = sections.at(-1)
    if (last && isAlike(last, next)) sections[sections.length - 1] = folded(last.from, batch, [...devicesIn(last), ...all])
    else sections.push(next)
  }
  return sections
}

const folded = (from: number | null, to: number | null, all: readonly DeploymentDevice[]): Section => {
  const folds = calms.flatMap((of): Fold[] => {
    const calm = all.filter((device) => calmOf(device.state) === of)
    return calm.length > 0 ? [{ of, devices: calm }] : []
  })
  const open = all.filter((device) => calmOf(device.state) === undefined)
  return section(from, to, all, open, folds)
}

const section = (
  from: number | null,
  to: number | null,
  all: readonly DeploymentDevice[],
  open: readonly DeploymentDevice[],
  folds: readonly Fold[],
): Section => {
  const counts: Deployment['counts'] = {}
  for (const { state } of all) counts[state] = (counts[state] ?? 0) + 1
  return { from, to, counts, open, folds }
}

const isAlike = (a: Section, b: Section): boolean =>
  a.open.length + b.open.length === 0 && a.folds.length === 1 && b.folds.length === 1 && a.folds[0]?.of === b.folds[0]?.of

const devicesIn = ({ open, folds }: Section): DeploymentDevice[] => [...open, ...folds.flatMap(({ devices }) => devices)]

/** The name of a section: `Batch 3`, `Canary and batches 1 to 12`. */
export const sectionTitle = ({ from, to }: Pick<Section, 'from' | 'to'>): string => {
  if (from === null) return 'Without a turn'
  if (to === null) return `From ${batchText(from).toLowerCase()} on`
  if (from === to) return batchText(from)
  if (from > 0) return `Batches ${countText(from)} to ${countText(to)}`
  return to === 1 ? 'Canary and batch 1' : `Canary and batches 1 to ${countText(to)}`
}
