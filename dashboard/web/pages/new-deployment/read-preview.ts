import type { OutputOf } from '../../../../schemas/operations.ts'
import { plural } from '../../format/amounts.ts'

export type Preview = OutputOf<'deployment.create'>

/** What a preview says, as it is shown. Of whom something is to be said, as that it has it already, gets nothing. */
export const readPreview = ({ would = [], others = [], other_count = others.length, devices = would.length }: Preview) => {
  const gets = would.filter(({ why }) => why === null)
  const refuses = would.flatMap(({ device, why }) => (why === null ? [] : [{ device: device as string, why }]))
  const byBatch = new Map<number, string[]>()
  for (const { device, batch } of gets) {
    if (batch === null) continue
    const batched = byBatch.get(batch)
    if (batched) batched.push(device)
    else byBatch.set(batch, [device])
  }
  const batches = [...byBatch].sort(([a], [b]) => a - b).map(([batch, names]) => ({ batch, devices: names }))
  // Not all of a large fleet fit into the answer.
  const unlisted = Math.max(0, devices - would.length)
  const getting = gets.length + unlisted
  const canary = byBatch.get(0)?.length ?? 0
  return {
    says: saysOf(getting, batches.length, canary, unlisted > 0),
    isGood: getting > 0,
    ...{ batches, getting, unlisted },
    away: gets.filter(({ state }) => state === 'offline').length,
    others: [...refuses, ...others],
    otherCount: refuses.length + other_count,
  }
}

const saysOf = (getting: number, batches: number, canary: number, isMore: boolean): string => {
  if (getting === 0) return 'No device gets it'
  const first = canary > 0 && canary < getting ? `, ${canary} of them first` : ''
  const steps = batches === 1 && !isMore ? ' at once' : `, in ${plural(batches, 'batch', 'batches')}${isMore ? ' or more' : ''}`
  return `${plural(getting, 'device gets', 'devices get')} it${steps}${first}`
}
