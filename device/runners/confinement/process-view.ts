import { readdirSync } from 'node:fs'
import { type ProcessStat, statOf } from '../process-table.ts'
import { readSmall } from '../small-file.ts'

export interface Seen extends ProcessStat {
  /** The run that its environment names. */
  run: string | undefined
}

/** All processes of the machine, looked at now and then, for all runs together. */
export interface ProcessView {
  /** Not older than so. */
  within(ms: number): readonly Seen[]
  /** Looked at after an instant; or for how long it is too soon to look again. */
  since(mono: number): readonly Seen[] | { tooSoonMs: number }
  /** At once. */
  now(): readonly Seen[]
}

/** Of its time the daemon gives at most a fifth to looking at all processes. */
const restPerLook = 4
const leastRestMs = 20

export const openProcessView = (mono: () => number): ProcessView => {
  let seen: readonly Seen[] = []
  let at = Number.NEGATIVE_INFINITY
  let tookMs = 0
  // A program may hide its environment later, but not from whom has read it before. It is read once, because it is inherited.
  let marks = new Map<number, { start: string; run: string | undefined }>()

  const look = (): readonly Seen[] => {
    const began = mono()
    const kept: typeof marks = new Map()
    const found: Seen[] = []
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      const stat = pid ? statOf(pid) : undefined
      if (!stat?.isAlive) continue
      const known = marks.get(pid)
      const mark = known?.start === stat.start ? known : { start: stat.start, run: runNamedBy(pid) }
      kept.set(pid, mark)
      found.push({ ...stat, run: mark.run })
    }
    marks = kept
    seen = found
    at = began
    tookMs = mono() - began
    return seen
  }

  return {
    within: (ms) => (mono() - at <= ms ? seen : look()),
    since: (instant) => {
      if (at >= instant) return seen
      const tooSoonMs = at + Math.max(leastRestMs, tookMs * restPerLook) - mono()
      return tooSoonMs > 0 ? { tooSoonMs } : look()
    },
    now: look,
  }
}

const runNamedBy = (pid: number): string | undefined =>
  /(?:^|\0)SKEIN_RUN=([^\0]*)\0/.exec(readSmall(`/proc/${pid}/environ`) ?? '')?.[1]
