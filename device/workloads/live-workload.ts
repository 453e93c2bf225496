import type { Timer } from '../../base/clock.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { HealthState } from '../../schemas/workload-status.ts'
import type { RunHandle } from '../runner.ts'
import type { FiringPlan } from './firings.ts'
import type { Checks } from './health/checks.ts'
import type { Pulse } from './health/pulse.ts'
import type { WorkloadLog } from './logs/workload-log.ts'
import type { Place } from './start-order.ts'
import type { RunCause, WorkloadRow, WorkloadRunRow } from './workload-rows.ts'

/** The run of a workload that goes on. */
export interface CurrentRun {
  row: WorkloadRunRow
  /** The spec that it was started from: a newer one is for the next. */
  spec: WorkloadSpec
  handle: RunHandle | null
  pid: number | null
  /** When its process began, on the monotonic clock. */
  sinceMono: number | null
  timeout: Timer | null
  checks: Checks | null
  /** When it wrote last, if its health is judged by that. */
  pulse: Pulse | null
  isPaused: boolean
  /** The last of what it wrote to stderr. */
  errors: string
  /** Why it is being stopped, in words. */
  why: string | null
  /** That its memory is nearly at the limit was said. */
  isWarned: boolean
}

/** A firing that is due, and may have to wait for the one before. */
export interface Firing {
  slot: number
  cause: Extract<RunCause, 'firing' | 'missed'>
}

/** A workload that this daemon looks after. What is in `row` is in the journal, or on its way there. */
export interface LiveWorkload {
  row: WorkloadRow
  spec: WorkloadSpec
  place: Place
  log: WorkloadLog
  run: CurrentRun | null
  health: HealthState | null
  healthReason: string | null
  /** What it waits for before it can start. */
  blockedBy: string | null
  /** Until the next start after a wait. */
  waiting: Timer | null
  /** What the next start will be called. */
  cause: RunCause
  /** When it fires; null without a schedule. */
  plan: FiringPlan | null
  /** Up to here it is decided what fires. */
  decidedTo: number
  queue: Firing[]
  /** When the next firing is due, by the wall clock. */
  nextAt: number | null
  /** Until it is looked again what is due. */
  looking: Timer | null
  memoryBytes: number | null
  isRemoved: boolean
  /** Called when it has no run any more. */
  settled: (() => void)[]
}
