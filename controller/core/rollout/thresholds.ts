import type { Draft } from './draft.ts'
import { devicesInWords } from './rollout.ts'

/** Why so many have failed that the rollout ends; null if they have not. The share counts when the first batch is over. */
export const tooManyFailures = (draft: Draft, isFirstBatchOver: boolean): string | null => {
  const { failed, healthy, head } = draft
  const { max_failures: most, max_failure_ratio: ratio } = head.strategy
  if (failed > most) return `${devicesInWords(failed)} failed, and max_failures is ${most}: ${firstFailure(draft)}`
  if (ratio === undefined || !isFirstBatchOver || failed <= ratio * (failed + healthy)) return null
  return `${failed} of ${devicesInWords(failed + healthy)} failed, and max_failure_ratio is ${ratio}: ${firstFailure(draft)}`
}

const firstFailure = ({ turns }: Draft): string => {
  const first = turns.find(({ device }) => device.state === 'failed' || device.isSentBack)?.device
  return `${first?.device} ${first?.reason ?? 'failed'}`
}
