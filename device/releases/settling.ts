import type { Clock, Timer } from '../../base/clock.ts'
import { type Judged, judgeRelease } from './judge.ts'
import type { ReleaseLife } from './life.ts'

export interface SettlingDeps {
  clock: Clock
  boot: string
  /** The workloads of a release as they are now. */
  workloads: (name: string) => readonly Judged[]
  judged: (life: ReleaseLife, verdict: 'healthy' | 'failed', reason: string | null) => void
}

interface Watch {
  life: ReleaseLife
  beganMono: number
  wellSinceMono: number | null
  failedEnds: Record<string, number>
  timer: Timer | undefined
}

/** Watches releases that are new to the device until there is a verdict on each: whenever one of their workloads stands otherwise, and when time is up. */
export const createSettling = ({ clock, boot, workloads, judged }: SettlingDeps) => {
  const watches = new Map<string, Watch>()

  const forget = (name: string): void => {
    watches.get(name)?.timer?.cancel()
    watches.delete(name)
  }

  const look = (name: string): void => {
    const watch = watches.get(name)
    const judge = watch?.life.active?.judge
    if (!watch || !judge) return
    watch.timer?.cancel()
    const { wellSinceMono, beganMono, failedEnds } = watch
    const verdict = judgeRelease({
      ...{ judge, workloads: workloads(name), failedEnds, wellSinceMono, beganMono },
      nowMono: clock.mono(),
    })
    if (verdict.kind === 'settling') {
      watch.wellSinceMono = verdict.wellSinceMono
      watch.timer = clock.after(verdict.lookAfterMs, () => look(name))
      return
    }
    forget(name)
    judged(watch.life, verdict.kind, verdict.kind === 'failed' ? verdict.reason : null)
  }

  return {
    /** It has begun to settle; or goes on to, after a new start of the daemon: then what was well before is not known. */
    watch: (life: ReleaseLife): void => {
      const { name, settling, failedEnds } = life
      const known = watches.get(name)
      if (known) {
        known.life = life
        return
      }
      const beganMono = settling?.boot === boot ? settling.mono : clock.mono()
      watches.set(name, { life, beganMono, wellSinceMono: null, failedEnds: { ...failedEnds }, timer: undefined })
      look(name)
    },
    look,
    /** A run of one of its workloads has ended in failure; false if it is not watched. */
    failed: (name: string, workload: string): boolean => {
      const watch = watches.get(name)
      if (!watch) return false
      watch.failedEnds[workload] = (watch.failedEnds[workload] ?? 0) + 1
      watch.wellSinceMono = null
      look(name)
      return true
    },
    forget,
    close: (): void => {
      for (const name of [...watches.keys()]) forget(name)
    },
  }
}
export type Settling = ReturnType<typeof createSettling>
