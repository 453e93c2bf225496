import { isWatched, notePresence } from './clocks.ts'
import { type DeviceEvent, deviceTransition, isBeforeItsTurn, isDeviceOpen } from './device-transition.ts'
import { judge, type Word } from './judge.ts'
import type { DeviceFacts, Rollout, RolloutDevice, RolloutEffect } from './rollout.ts'
import { type RolloutEvent, rolloutTransition } from './rollout-transition.ts'
import type { Room } from './room.ts'

/** A device of a rollout that is being advanced. */
export interface Turn {
  device: RolloutDevice
  readonly facts: DeviceFacts
}

/** A rollout while it is being advanced: its head, whose devices are those before, the devices as they become, and what is to be done. */
export interface Draft {
  head: Rollout
  readonly turns: readonly Turn[]
  readonly effects: RolloutEffect[]
  readonly now: number
  /** It is of interest who is there, and not only of those that something still has to become of. */
  readonly isWatched: boolean
  /** How many devices have failed, those included that went back for it alone; and how many are healthy. */
  failed: number
  healthy: number
  /** Where `max_unavailable` is counted, while that is of interest. */
  room: Room | null
}

/** Begins to advance a rollout, with what is known of its devices. */
export const draftOf = (rollout: Rollout, factsOf: (device: string) => DeviceFacts, now: number): Draft => {
  const turns = rollout.devices.map((device): Turn => ({ device, facts: factsOf(device.device) }))
  const draft: Draft = {
    head: rollout,
    turns,
    effects: [],
    now,
    isWatched: isWatched(rollout),
    failed: 0,
    healthy: 0,
    room: null,
  }
  for (const { device } of turns) count(draft, device, 1)
  return draft
}

/** What has become of the rollout; the same object, and the same devices, where nothing has changed. */
export const resultOf = ({ head, turns }: Draft, was: Rollout): Rollout =>
  turns.some(({ device }, place) => device !== was.devices[place])
    ? { ...head, devices: turns.map(({ device }) => device) }
    : head

/** Sees what has come of a device since the last time. */
export const observe = (draft: Draft, turn: Turn): void => {
  const { head, now } = draft
  const { facts } = turn
  if (draft.isWatched || isDeviceOpen(turn.device))
    put(draft, turn, notePresence(turn.device, facts.isConnected, head.strategy, now))
  if (isDeviceOpen(turn.device)) letGo(draft, turn)
  if (facts.isConnected && turn.device.state === 'deferred')
    apply(draft, turn, {
      kind: 'return',
      reason: turn.device.isSentBack ? 'is back, and goes back to what it had' : 'is back, and goes on',
    })
  hear(draft, turn, facts)
}

/** Lets go of a device that has left the fleet, or that a newer deployment has taken over. Answers whether it has. */
export const letGo = (draft: Draft, turn: Turn): boolean => {
  const { isMember, supersededBy } = turn.facts
  const before = turn.device
  // With `late: apply` one that comes back late gets it in spite of what is newer, and keeps it.
  const isOverruled =
    before.overrules === supersededBy ||
    (draft.head.strategy.late === 'apply' && before.state === 'deferred' && !before.isTouched)
  if (!isMember) apply(draft, turn, { kind: 'skip', reason: 'has left the fleet' })
  else if (supersededBy !== null && !isOverruled)
    apply(draft, turn, { kind: 'supersede', reason: `deployment ${supersededBy} has taken it over` })
  return turn.device !== before
}

/** Tells a device to run the release. */
export const install = (draft: Draft, turn: Turn): void => {
  const { supersededBy } = turn.facts
  if (supersededBy !== null) put(draft, turn, { ...turn.device, overrules: supersededBy })
  apply(draft, turn, { kind: 'install' })
  draft.effects.push({ kind: 'install', device: turn.device.device })
  hear(draft, turn, beforeItHears(turn))
}

/** Tells a device to go back to what it had. */
export const sendBack = (draft: Draft, turn: Turn, reason: string): void => {
  apply(draft, turn, { kind: 'send_back', reason })
  draft.effects.push({ kind: 'restore', device: turn.device.device })
  hear(draft, turn, beforeItHears(turn))
}

/** Those that have not had their turn do not get it any more. */
export const leaveOut = (draft: Draft, reason: string): void => {
  for (const turn of draft.turns) if (isBeforeItsTurn(turn.device)) apply(draft, turn, { kind: 'skip', reason })
}

/** Something happens to a device, or to all of the rollout. */
export const apply = (draft: Draft, turn: Turn, event: DeviceEvent): void =>
  put(draft, turn, deviceTransition(turn.device, event, draft.now))

export const applyToAll = (draft: Draft, event: RolloutEvent): void => {
  draft.head = rolloutTransition(draft.head, event, draft.now)
}

/** Says something new about a device, or about all, whose state stays. */
export const say = (draft: Draft, turn: Turn, reason: string): void => {
  if (turn.device.reason !== reason) put(draft, turn, { ...turn.device, reason })
}
export const sayOfAll = (draft: Draft, reason: string | null): void => {
  if (draft.head.reason !== reason) draft.head = { ...draft.head, reason }
}

/** What a device has said cannot be about what is written for it only now. */
const beforeItHears = ({ facts: { reported, previousDigest } }: Turn): Word => ({ reported, previousDigest, isInformed: false })

/** Takes a device at its word. One that fails when all is over goes back alone. */
const hear = (draft: Draft, turn: Turn, word: Word): void => {
  const { head, now } = draft
  const before = turn.device
  if (before.state === 'healthy' && !draft.isWatched) return
  put(draft, turn, judge(before, word, head, now))
  const hasFailed = turn.device.state === 'failed' && before.state !== 'failed'
  if (hasFailed && head.state === 'completed' && head.strategy.auto_rollback && !before.isSentBack)
    sendBack(draft, turn, 'goes back alone')
}

const put = (draft: Draft, turn: Turn, device: RolloutDevice): void => {
  const before = turn.device
  if (device === before) return
  turn.device = device
  count(draft, before, -1)
  count(draft, device, 1)
  draft.room?.note(turn, before)
}

const count = (draft: Draft, { state, isSentBack }: RolloutDevice, by: 1 | -1): void => {
  if (state === 'failed' || isSentBack) draft.failed += by
  if (state === 'healthy') draft.healthy += by
}
