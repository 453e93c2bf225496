import { createHash } from 'node:crypto'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import { createSchedule, type Schedule } from './slots.ts'

/** So late a firing is still one in time: a daemon that was replaced has missed nothing. */
export const inTimeMs = 60_000
/** No more of what was missed is made up for at once, or counted. */
export const mostMissed = 1000
/** So often at least it is looked whether a slot is due: a timer knows nothing of a wall clock that was set, or of sleep. */
export const lookAgainMs = 15_000

type Scheduled = Pick<WorkloadSpec, 'name' | 'schedule' | 'timezone' | 'missed' | 'missed_within_seconds' | 'jitter_seconds'>

/** The firings that a spec asks for. A slot is an instant of its schedule, and names the firing; it happens `dueAt` that slot. */
export interface FiringPlan {
  schedule: Schedule
  dueAt(slot: number): number
  missed: WorkloadSpec['missed']
  missedWithinMs: number
}

/** Reads when a workload fires; null for one that has no schedule. Throws if its schedule or timezone is none. */
export const planFirings = (spec: Scheduled, machine: { timezone: string; device: string }): FiringPlan | null => {
  if (spec.schedule === undefined) return null
  const schedule = createSchedule(spec.schedule, spec.timezone ?? machine.timezone)
  return {
    schedule,
    dueAt: (slot) => (spec.jitter_seconds === 0 ? slot : slot + jitterMs(spec, slot, schedule.next(slot), machine.device)),
    missed: spec.missed,
    missedWithinMs: spec.missed_within_seconds * 1000,
  }
}

/**
 * How long after its slot a workload fires: up to `jitter_seconds`, the same however often it is asked, and not beyond the
 * next slot, so that firings keep their order.
 */
export const jitterMs = (
  spec: Pick<WorkloadSpec, 'name' | 'jitter_seconds'>,
  slot: number,
  next: number | null,
  device: string,
): number => {
  const hash = createHash('sha256').update(`${device}\n${spec.name}\n${slot}`).digest()
  const most = Math.min(spec.jitter_seconds * 1000, next === null ? Number.POSITIVE_INFINITY : next - slot)
  return Math.floor((hash.readUIntBE(0, 6) / 2 ** 48) * most)
}

/** The first slot after an instant; null if there will be none. */
export const nextSlot = (plan: FiringPlan, after: number): number | null => plan.schedule.next(after)

export interface DueInput {
  plan: FiringPlan
  /**
   * Up to here it is decided what fires: what the last call returned, or the instant since which this schedule is known.
   * To be stored together with the claims of the slots.
   */
  decidedTo: number
  now: number
  /** Whether a slot has been claimed, by whatever daemon and whatever became of it. */
  claimed: (slot: number) => boolean
}

export interface Due {
  /** Oldest first. To be claimed before they start. */
  fire: { slot: number; cause: 'firing' | 'missed' }[]
  /** What fires no more. `isMore`: there were more than were counted. */
  skipped: { count: number; isMore: boolean; reason: string } | null
  decidedTo: number
  /** The next firing: of which slot, and when it is due. */
  next: { slot: number; at: number } | null
}

/**
 * Decides which slots fire now. It is to be asked when `next.at` has come, and at least every `lookAgainMs`.
 *
 * - **In time** is what is at most a minute late. It fires, whatever `missed` says.
 * - **Missed** is what is later, no matter why: the daemon was not there, the machine was off or asleep, the clock was put
 *   forward, or it was not trusted yet. `skip` drops it. `latest` fires the newest slot that has passed, unless a later one is
 *   in time. `all` fires what was missed at most `missed_within_seconds` ago, at most 1000 slots, the newest. What is dropped
 *   is counted.
 * - **A clock that is put back** makes the schedule go on from the time that it shows, as if that had always been so: after a
 *   clock that was wrong for a month into the future no schedule is dead for a month. A slot whose claim is stored does not
 *   fire again; one that had been dropped, because the clock went over it, fires when it really comes. So the claims are what
 *   keeps a slot from firing twice, and have to be kept for as long as the clock may be put back.
 */
export const dueSlots = ({ plan, decidedTo, now, claimed }: DueInput): Due => {
  const passed = plan.schedule.previous(now + 1)
  // By its jitter the newest one may still wait; one before it cannot.
  const isWaiting = passed !== null && plan.dueAt(passed) > now
  const newest = isWaiting ? plan.schedule.previous(passed) : passed
  const since = decidedTo <= now ? decidedTo : isWaiting ? passed - 1 : now

  return {
    ...judge(plan, since, newest, now, claimed),
    decidedTo: Math.max(since, newest ?? since),
    next: nextOf(plan, isWaiting ? Math.max(passed - 1, since) : now, claimed),
  }
}

const judge = (
  plan: FiringPlan,
  since: number,
  newest: number | null,
  now: number,
  claimed: (slot: number) => boolean,
): Pick<Due, 'fire' | 'skipped'> => {
  const fire: Due['fire'] = []
  let [count, looked, missed, isMore] = [0, 0, 0, false]
  for (let slot = newest; slot !== null && slot > since; slot = plan.schedule.previous(slot)) {
    const lateMs = now - plan.dueAt(slot)
    if (lateMs <= inTimeMs) {
      if (!claimed(slot)) fire.push({ slot, cause: 'firing' })
    } else if (looked >= 2 * mostMissed || count >= mostMissed) {
      isMore = true
      break
    } else {
      looked++
      const isWanted = lateMs <= plan.missedWithinMs && missed < mostToMakeUp(plan, slot === newest)
      if (claimed(slot)) continue
      if (isWanted) fire.push({ slot, cause: 'missed' })
      if (isWanted) missed++
      else count++
    }
  }
  return {
    fire: fire.reverse(),
    skipped: count === 0 ? null : { count, isMore, reason: whySkipped(plan, count, isMore, missed) },
  }
}

const mostToMakeUp = (plan: FiringPlan, isNewest: boolean): number => {
  switch (plan.missed) {
    case 'skip':
      return 0
    case 'latest':
      return isNewest ? 1 : 0
    case 'all':
      return mostMissed
  }
}

const whySkipped = (plan: FiringPlan, count: number, isMore: boolean, madeUp: number): string => {
  const firings = `${isMore ? 'more than ' : ''}${count} ${count === 1 ? 'firing was' : 'firings were'} missed`
  const kept = madeUp === 0 ? '' : `, beside ${madeUp} that ${madeUp === 1 ? 'is' : 'are'} made up for`
  const within = plan.missed === 'skip' ? '' : ` within ${plan.missedWithinMs / 1000} s`
  return `${firings}${kept}: missed is "${plan.missed}"${within}`
}

const nextOf = (plan: FiringPlan, after: number, claimed: (slot: number) => boolean): Due['next'] => {
  let slot = plan.schedule.next(after)
  // Claimed ones lie ahead when the clock was put back. To wake up for one of them does no harm, so there is an end to looking.
  for (let i = 0; i < mostMissed && slot !== null && claimed(slot); i++) slot = plan.schedule.next(slot)
  return slot === null ? null : { slot, at: plan.dueAt(slot) }
}

/** So many firings wait for the ones before them, and no more. */
export const mostQueued = 100

export type OnOverlap = { kind: 'start' | 'queue' | 'replace' } | { kind: 'skip'; reason: string }

/**
 * Decides about a firing whose workload may still be running. `skip` lets the run go on and drops the firing. `queue` keeps
 * each firing, in order, up to 100. `replace` stops the run and starts the firing when that has ended; a later firing takes
 * the place of one that waits for this.
 */
export const onOverlap = (policy: WorkloadSpec['overlap'], isRunning: boolean, queued: number): OnOverlap => {
  if (!isRunning && queued === 0) return { kind: 'start' }
  switch (policy) {
    case 'skip':
      return { kind: 'skip', reason: 'the run before it had not ended' }
    case 'queue':
      return queued < mostQueued ? { kind: 'queue' } : { kind: 'skip', reason: `${mostQueued} firings were waiting already` }
    case 'replace':
      return { kind: 'replace' }
  }
}
