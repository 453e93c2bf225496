import { isUnderWay } from './device-transition.ts'
import { applyToAll, type Draft, sayOfAll, type Turn } from './draft.ts'
import { completedReason } from './late.ts'
import { roomFor } from './room.ts'
import { tooManyFailures } from './thresholds.ts'
import { choose, installAll, isOfBatch, isOfRollout, meet, mostLate } from './turns.ts'

/**
 * Goes as far forward as it may: the batch that has its turn, and with it those that were late for theirs; then, when the batch is over and it
 * has rested, the next. Too many failures end it at any moment, also while it is paused.
 */
export const goForward = (draft: Draft): void => {
  const { head, turns } = draft
  const first = turns[0]?.device.batch ?? null
  const tooMany = () => {
    const { batch, restedSince } = draft.head
    return tooManyFailures(draft, batch !== null && (restedSince !== null || batch !== first))
  }
  if (giveUpIf(draft, tooMany()) || head.state === 'paused') return
  if (first === null) return applyToAll(draft, { kind: 'complete', reason: completedReason(draft) })
  draft.room = roomFor(turns, head.strategy)
  if (head.batch === null) draft.head = { ...draft.head, batch: first }

  let from = turns.findIndex(({ device }) => device.batch === draft.head.batch)
  meet(draft, turns.slice(0, from))
  for (;;) {
    const { failed } = draft
    const members = turns.slice(from, endOfBatch(turns, from))
    meet(draft, members)
    const now = choose(draft, members, members.length)
    if (giveUpIf(draft, now.spent[0]?.reason ?? tooMany())) return
    let rests: string | null = null
    if (!members.some(({ device }) => isOfBatch(device, head.strategy))) {
      if (draft.head.restedSince === null) draft.head = { ...draft.head, restedSince: draft.now }
      if (giveUpIf(draft, tooMany())) return
      const next = turns[from + members.length]?.device.batch ?? null
      if (next !== null && !isResting(draft, members)) {
        draft.head = { ...draft.head, batch: next, restedSince: null }
        from += members.length
        continue
      }
      if (next === null && !turns.some(({ device }) => isOfRollout(device, head.strategy)))
        return applyToAll(draft, { kind: 'complete', reason: completedReason(draft) })
      if (next !== null) rests = `rests for ${head.strategy.pause_seconds} s before batch ${next}`
    }
    const behind = turns.slice(0, from)
    const late = choose(draft, behind, mostLate(draft, behind))
    if (giveUpIf(draft, late.spent[0]?.reason ?? tooMany())) return
    const chosen = [...now.chosen, ...late.chosen]
    if (chosen.length === 0 && draft.failed === failed) return sayWhat(draft, now.waitsFor ?? late.waitsFor ?? rests)
    // One of them may be at its end at once, and then it goes on from there.
    if (giveUpIf(draft, installAll(draft, chosen, tooMany))) return
  }
}

/** Says what it waits for when nothing else goes on; who has resumed it stays there until then. */
const sayWhat = (draft: Draft, waits: string | null): void => {
  const isIdle = !draft.turns.some(({ device }) => isUnderWay(device))
  if (waits !== null && isIdle) sayOfAll(draft, waits)
  else if (/^(waits|rests)\b/.test(draft.head.reason ?? '')) sayOfAll(draft, null)
}

/** Ends a rollout for a reason, if there is one. */
const giveUpIf = (draft: Draft, reason: string | null): boolean => {
  if (reason === null) return false
  applyToAll(draft, draft.head.strategy.auto_rollback ? { kind: 'roll_back', reason } : { kind: 'fail', reason })
  return true
}

const endOfBatch = (turns: readonly Turn[], from: number): number => {
  let end = from
  while (end < turns.length && turns[end]?.device.batch === turns[from]?.device.batch) end++
  return end
}

/** After a batch in which nothing was done there is nothing to wait and see. */
const isResting = ({ head, now }: Draft, members: readonly Turn[]): boolean =>
  members.some(({ device }) => device.isTouched) && now < (head.restedSince ?? now) + head.strategy.pause_seconds * 1000
