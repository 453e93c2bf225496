import type { Rollout, RolloutDevice } from './rollout.ts'

/** When a rollout ends, if it goes on as it did; null while nothing has come to an end yet, and when it does not go forward. */
export const expectedEndAt = (rollout: Rollout, now: number): number | null => {
  const { state, devices, batch, restedSince, strategy } = rollout
  if (state !== 'in_progress' || batch === null) return null
  const batchMs = usualBatchMs(rollout)
  if (batchMs === null) return null
  const pauseMs = strategy.pause_seconds * 1000
  const isToCome = (device: RolloutDevice): boolean => device.state === 'pending' && device.awaySince === null
  const toCome = new Set(devices.flatMap((device) => (isToCome(device) && (device.batch ?? 0) > batch ? [device.batch] : [])))
    .size
  return Math.round(restOfBatch(rollout, batchMs, now) + toCome * (pauseMs + batchMs) - (restedSince === null ? 0 : pauseMs))
}

/** When the batch that is under way is over, and has rested if it has begun to. */
const restOfBatch = ({ devices, batch, restedSince, strategy }: Rollout, batchMs: number, now: number): number => {
  if (restedSince !== null) return Math.max(now, restedSince + strategy.pause_seconds * 1000)
  const begun = devices.flatMap((device) => (device.batch === batch && device.startedAt !== null ? [device.startedAt] : []))
  return Math.max(now, (begun.length > 0 ? Math.min(...begun) : now) + batchMs)
}

/** How long a batch takes: the mean of those that are over, else what the slowest device took. Who was away in between says nothing of it. */
const usualBatchMs = ({ devices, batch, restedSince }: Rollout): number | null => {
  const spans = new Map<number, { from: number; to: number }>()
  let slowest: number | null = null
  for (const { batch: of, startedAt, endedAt, backAt } of devices) {
    if (of === null || startedAt === null || endedAt === null || backAt !== null) continue
    slowest = Math.max(slowest ?? 0, endedAt - startedAt)
    if (of > (batch ?? 0) || (of === batch && restedSince === null)) continue
    const span = spans.get(of) ?? { from: startedAt, to: endedAt }
    spans.set(of, { from: Math.min(span.from, startedAt), to: Math.max(span.to, endedAt) })
  }
  if (spans.size === 0) return slowest
  return [...spans.values()].reduce((sum, { from, to }) => sum + to - from, 0) / spans.size
}
