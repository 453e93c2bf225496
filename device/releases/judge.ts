import type { Judgement } from '../../schemas/desired.ts'
import type { WorkloadStatus } from '../../schemas/workload-status.ts'

/** What counts of a workload. */
export type Judged = Pick<WorkloadStatus, 'name' | 'run_mode' | 'state' | 'health' | 'failures' | 'reason'>

export interface JudgeInput {
  judge: Judgement
  workloads: readonly Judged[]
  /** How often each has ended in failure since it settles. */
  failedEnds: Readonly<Record<string, number>>
  /** Since when all of them are well; null as long as they were not. */
  wellSinceMono: number | null
  /** Since when it settles. */
  beganMono: number
  nowMono: number
}

export type Verdict =
  | { kind: 'healthy' }
  | { kind: 'failed'; reason: string }
  /** Nothing can be said before so long, if nothing changes. */
  | { kind: 'settling'; wellSinceMono: number | null; lookAfterMs: number }

/**
 * Judges a release that is new to its device. It is healthy when all its workloads were well for `min_healthy_seconds` without a break;
 * and failed when one of them is not started any more, or has ended in failure a second time, or when it takes longer than
 * `health_timeout_seconds`.
 */
export const judgeRelease = ({ judge, workloads, failedEnds, wellSinceMono, beganMono, nowMono }: JudgeInput): Verdict => {
  const given = workloads.find(({ state }) => state === 'failed' || state === 'crash_loop')
  if (given) return { kind: 'failed', reason: illness(given) }
  const again = workloads.find(({ name }) => (failedEnds[name] ?? 0) > 1)
  if (again) return { kind: 'failed', reason: `"${again.name}" has ended in failure twice${because(again)}` }
  const ill = illOf(workloads, false)
  const since = ill === undefined ? (wellSinceMono ?? nowMono) : null
  const restMs = since === null ? Number.POSITIVE_INFINITY : since + judge.min_healthy_seconds * 1000 - nowMono
  if (restMs <= 0) return { kind: 'healthy' }
  const leftMs = beganMono + judge.health_timeout_seconds * 1000 - nowMono
  if (leftMs > 0) return { kind: 'settling', wellSinceMono: since, lookAfterMs: Math.min(restMs, leftMs) }
  const what = ill ?? `it was well only for the last ${Math.floor((nowMono - (since ?? nowMono)) / 1000)} s`
  return { kind: 'failed', reason: `it was not healthy within ${judge.health_timeout_seconds} s: ${what}` }
}

/** What is wrong with the first of these that is not well, in words; undefined if all are. `mayBeUnknown`: a check that has not spoken yet is no news. */
export const illOf = (workloads: readonly Judged[], mayBeUnknown: boolean): string | undefined => {
  const one = workloads.find((each) => !isWell(each, mayBeUnknown))
  return one && illness(one)
}

const isWell = ({ run_mode, state, health, failures }: Judged, mayBeUnknown: boolean): boolean => {
  const isSound = health === null || health === 'healthy' || (health === 'unknown' && mayBeUnknown)
  // It has done its work.
  if (state === 'completed') return true
  if (run_mode !== 'schedule') return state === 'running' && isSound
  return failures === 0 && (state === 'registered' || state === 'starting' || (state === 'running' && health !== 'unhealthy'))
}

const illness = (one: Judged): string => `"${one.name}" is ${shown(one)}${because(one)}`
const shown = ({ state, health, failures, run_mode }: Judged): string => {
  if (state === 'running' && health !== null && health !== 'healthy') return health === 'unknown' ? 'not checked yet' : health
  if (run_mode === 'schedule' && failures > 0 && state !== 'failed') return 'one whose last run has failed'
  return state === 'crash_loop' ? 'in a crash loop' : state
}
const because = ({ reason }: Judged): string => (reason === null ? '' : `: ${reason}`)
