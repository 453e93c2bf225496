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
  const deferred = turns.filter(({ device }) => device.state === 'deferred' || device.state === 'pending').length
  const [are, get, they] = deferred === 1 ? ['is', 'gets', 'it is'] : ['are', 'get', 'they are']
  const when = head.strategy.late === 'hold' ? `${get} it when somebody resumes` : `${get} it when ${they} back`
  const parts = [
    failed > 0 ? `${devicesInWords(failed)} failed` : '',
    deferred > 0 ? `${devicesInWords(deferred)} ${are} away and ${when}` : '',
  ].filter((part) => part !== '')
  return parts.length > 0 ? parts.join('; ') : null
}
