import type { Clock } from '../../base/clock.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { ClockTrust } from './clock-trust.ts'
import { dueSlots, lookAgainMs, onOverlap, planFirings } from './firings.ts'
import type { Firing, LiveWorkload } from './live-workload.ts'
import type { Running } from './running.ts'
import type { WorkloadRows } from './workload-rows.ts'

export interface SchedulingDeps {
  device: string
  timezone: string
  clock: Clock
  rows: WorkloadRows
  running: Running
  trust: () => ClockTrust
  /** Which plugin a workload needs that is not there: it does not fire. */
  lacks: (spec: WorkloadSpec) => string | null
  /** What a workload waits for before it can start; null if for nothing. */
  waitsFor: (one: LiveWorkload) => string | null
  changed: (one: LiveWorkload) => void
}

/** Fires workloads at the instants of their schedules: each slot is claimed in the journal with the run that stands for it. */
export const createScheduling = ({ device, timezone, clock, rows, running, trust, lacks, waitsFor, changed }: SchedulingDeps) => {
  const isOn = (one: LiveWorkload): boolean => one.plan !== null && one.row.is_wanted === 1 && !one.isRemoved && isAwake
  let isAwake = true

  const lookIn = (one: LiveWorkload, ms: number): void => {
    one.looking?.cancel()
    one.looking = clock.after(Math.max(1, ms), () => look(one))
  }

  const look = (one: LiveWorkload): void => {
    if (!one.plan || !isOn(one)) return
    const lack = lacks(one.spec)
    // It comes with another daemon, if it comes, and to that daemon its firings were missed.
    if (lack !== null) return waitFor(one, lack)
    const trusted = trust()
    if (!trusted.isTrusted) {
      waitFor(one, `schedules wait: ${trusted.because}`)
      return lookIn(one, trusted.againInMs)
    }
    if (one.blockedBy?.startsWith('schedules wait')) waitFor(one, null)
    const now = clock.now()
    const due = dueSlots({ plan: one.plan, decidedTo: one.decidedTo, now, claimed: (slot) => rows.isClaimed(one.row.name, slot) })
    // One by one: whoever stores how far it is decided must not store it for those behind, which a dead daemon would have lost.
    for (const firing of due.fire) {
      one.decidedTo = firing.slot
      fire(one, firing)
    }
    one.decidedTo = due.decidedTo
    if (due.skipped) skip(one, due.skipped.reason)
    const nextAt = due.next?.at ?? null
    if (nextAt !== one.nextAt) {
      one.nextAt = nextAt
      changed(one)
    }
    lookIn(one, Math.min(lookAgainMs, nextAt === null ? lookAgainMs : nextAt - now))
  }

  const waitFor = (one: LiveWorkload, reason: string | null): void => {
    if (one.blockedBy === reason) return
    one.blockedBy = reason
    changed(one)
  }

  const fire = (one: LiveWorkload, firing: Firing): void => {
    // What is made up for is a row of firings that come one after the other: they do not overlap what makes up for one of them.
    const isBehindMissed = one.run?.row.cause === 'missed' || one.queue.some(({ cause }) => cause === 'missed')
    const isInRow = firing.cause === 'missed' && isBehindMissed
    const what = isInRow ? inRow : onOverlap(one.spec.overlap, one.run !== null, one.queue.length)
    switch (what.kind) {
      case 'skip':
        // Without a run it is one that waits for something that is in the way.
        return skip(one, whySkipped(firing, one.run ? what.reason : (one.blockedBy ?? what.reason)))
      case 'replace':
        for (const other of one.queue) running.tell(one, whySkipped(other, 'a later one has taken its place'))
        one.queue = [firing]
        return one.run ? running.stop(one, 'replaced') : next(one)
      case 'queue':
      case 'start':
        one.queue.push(firing)
        return next(one)
    }
  }

  const skip = (one: LiveWorkload, reason: string): void => {
    running.tell(one, reason)
    one.row = { ...one.row, last_slot: settledTo(one) }
    void running.store(one, null)
  }

  /** A firing that waits in the queue is not decided about: a daemon that dies before it begins has missed it. */
  const settledTo = (one: LiveWorkload): number => Math.min(one.decidedTo, ...one.queue.map((firing) => firing.slot - 1))

  const next = (one: LiveWorkload): void => {
    if (one.run || !isOn(one)) return
    if (one.queue.length === 0) return
    const blocked = waitsFor(one)
    if (blocked !== null) return waitFor(one, blocked)
    const firing = one.queue.shift()
    if (!firing) return
    one.row = { ...one.row, last_slot: settledTo(one) }
    running.begin(one, firing.cause, firing.slot)
  }

  return {
    /** Its spec is new, or it is wanted again: from now on it fires. `since`: what was before is no firing of it. */
    plan: (one: LiveWorkload, since: number): void => {
      one.looking?.cancel()
      one.plan = planFirings(one.spec, { timezone, device })
      one.decidedTo = since
      one.queue = []
      one.nextAt = null
      if (isOn(one)) look(one)
    },
    /** Its run is over: a firing may have waited for that. */
    next,
    stop: (one: LiveWorkload): void => {
      one.looking?.cancel()
      one.queue = []
      one.nextAt = null
    },
    close: (): void => {
      isAwake = false
    },
  }
}
const inRow = { kind: 'queue' } as const

const whySkipped = ({ slot }: Firing, reason: string): string =>
  `the firing of ${new Date(slot).toISOString()} is skipped: ${reason}`

export type Scheduling = ReturnType<typeof createScheduling>
