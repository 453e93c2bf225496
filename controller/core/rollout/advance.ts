import { goBack } from './back.ts'
import { applyToAll, draftOf, leaveOut, observe, resultOf } from './draft.ts'
import { goForward } from './forward.ts'
import { goLate } from './late.ts'
import type { DeviceFacts, Rollout, RolloutEffect } from './rollout.ts'

/**
 * What a rollout becomes by what is known of its devices, and what is to be written for them. A second call changes nothing and has no effects,
 * unless there is news. What has not changed is the same object as before: a device, and the rollout itself.
 */
export const advance = (
  rollout: Rollout,
  factsOf: (device: string) => DeviceFacts,
  now: number,
): { rollout: Rollout; effects: RolloutEffect[] } => {
  const draft = draftOf(rollout, factsOf, now)
  applyToAll(draft, { kind: 'begin' })
  for (const turn of draft.turns) observe(draft, turn)
  const { state, pausedFrom } = draft.head
  if (state === 'in_progress' || pausedFrom === 'in_progress') goForward(draft)
  if (draft.head.state === 'completed') goLate(draft)
  if (draft.head.state === 'rolling_back') goBack(draft)
  if (draft.head.state === 'failed') leaveOut(draft, 'the deployment failed before its turn')
  if (draft.head.state === 'cancelled') leaveOut(draft, 'the deployment was cancelled before its turn')
  return { rollout: resultOf(draft, rollout), effects: draft.effects }
}
