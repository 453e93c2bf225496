import { isBeforeItsTurn } from './device-transition.ts'
import { apply, type Draft, leaveOut, sayOfAll } from './draft.ts'
import { devicesInWords } from './rollout.ts'
import { roomFor } from './room.ts'
import { tooManyFailures } from './thresholds.ts'
import { choose, installAll, meet, mostLate } from './turns.ts'

/** After the end of a rollout those get it that were away for their turn: as carefully as the others, and not when too many have failed. */
export const goLate = (draft: Draft): void => {
  const { head, turns } = draft
  const tooMany = () => tooManyFailures(draft, true)
  draft.room = roomFor(turns, head.strategy)
  meet(draft, turns)
  const choice = choose(draft, turns, mostLate(draft, turns))
  for (const { turn, reason } of choice.spent) apply(draft, turn, { kind: 'skip', reason })
  const why = installAll(draft, choice.chosen, tooMany)
  if (why !== null) leaveOut(draft, `does not get it: ${why}`)
  sayOfAll(draft, completedReason(draft))
}

/** What there is to say of a rollout that is completed: null if all has gone well. */
export const completedReason = ({ head, turns, failed }: Draft): string | null => {
  const late = turns.filter(({ device }) => isBeforeItsTurn(device) || device.state === 'deferred').length
  const parts = [
    ...(failed > 0 ? [`${devicesInWords(failed)} failed`] : []),
    ...(late > 0 ? [`${devicesInWords(late)} ${whenLate(late === 1, head.strategy.late === 'hold')}`] : []),
  ]
  return parts.length > 0 ? parts.join('; ') : null
}

const whenLate = (isOne: boolean, isHeld: boolean): string => {
  if (isHeld) return isOne ? 'was away, and gets it when somebody resumes' : 'were away, and get it when somebody resumes'
  return isOne ? 'is away, and gets it when it is back' : 'are away, and get it when they are back'
}
