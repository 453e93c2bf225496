import { applyToAll, type Draft, leaveOut, letGo, sendBack, type Turn } from './draft.ts'
import { unhealthyMark } from './progress.ts'
import { devicesInWords } from './rollout.ts'
import { roomFor } from './room.ts'

/**
 * Sends back whoever was touched: at once who is without a release in good health anyway, the others as `max_unavailable` allows, but one at
 * a time always. It ends when nobody who is there is on the way; who is away goes back when it returns.
 */
export const goBack = (draft: Draft): void => {
  const { head, turns } = draft
  const why = head.reason ?? 'the deployment is rolled back'
  leaveOut(draft, 'the deployment was rolled back before its turn')
  const toGo = turns.filter((turn) => isToGoBack(turn) && !letGo(draft, turn))
  const areWell = toGo.filter(isWell)
  for (const turn of toGo) if (!isWell(turn)) sendBack(draft, turn, why)
  draft.room = roomFor(turns, head.strategy)
  for (const turn of areWell) if (!draft.room || draft.room.isFree(turn) || draft.room.isIdle(turn)) sendBack(draft, turn, why)
  if (turns.some((turn) => turn.device.state === 'rolling_back' || isToGoBack(turn))) return
  end(draft)
}

const isToGoBack = ({ device }: Turn): boolean =>
  device.isTouched && !device.isSentBack && device.state !== 'superseded' && device.state !== 'skipped'

const isWell = ({ device }: Turn): boolean =>
  device.state === 'healthy' && device.mark !== unhealthyMark && device.awaySince === null

const end = (draft: Draft): void => {
  const failed = draft.turns.filter(({ device }) => device.state === 'failed' && device.isSentBack)
  const away = draft.turns.filter(({ device }) => device.state === 'deferred').length
  const [first] = failed
  if (first) {
    const reason = `${devicesInWords(failed.length)} could not be rolled back: ${first.device.device} ${first.device.reason}`
    return applyToAll(draft, { kind: 'fail', reason })
  }
  const [was, goes] = away === 1 ? ['was', 'goes'] : ['were', 'go']
  const later = away > 0 ? `; ${devicesInWords(away)} ${was} away, and ${goes} back on return` : ''
  applyToAll(draft, { kind: 'be_back', reason: `${draft.head.reason ?? 'rolled back'}${later}` })
}
