import { type Clock, every } from '../../base/clock.ts'
import { startChecks } from './health/checks.ts'
import { createProbe } from './health/probe.ts'
import { createPulse } from './health/pulse.ts'
import type { CurrentRun, LiveWorkload } from './live-workload.ts'
import type { Running } from './running.ts'
import { cwdAndWordsOf, type Surroundings } from './surroundings.ts'

export interface TendingDeps {
  clock: Clock
  running: Running
  surroundings: Surroundings
  live: ReadonlyMap<string, LiveWorkload>
  changed: (one: LiveWorkload) => void
}

/** From this share of its limit on the memory of a workload is worth a warning. */
const warnShare = 0.9
/** How often the memory of one without a limit is looked at: it is for show. */
const showEvery = 15

/** Looks after what runs: its memory, and whether it is well. */
export const createTending = ({ clock, running, surroundings, live, changed }: TendingDeps) => {
  let seconds = 0

  const weigh = (one: LiveWorkload, run: CurrentRun): void => {
    const limitMb = run.spec.memory_limit_mb
    if (limitMb === undefined && seconds % showEvery !== 0) return
    const usage = run.handle?.usage()
    if (!usage) return
    one.memoryBytes = usage.memoryBytes
    if (limitMb === undefined || run.row.stop_for !== null) return
    const share = usage.memoryBytes / (limitMb * 1024 * 1024)
    const used = `${Math.round(usage.memoryBytes / 1024 / 1024)} of ${limitMb} MB`
    if (share > 1) {
      running.tell(one, `oom: it uses ${used}, and is stopped`)
      running.stop(one, 'oom', `oom: it used ${used}`)
    } else if (share >= warnShare && !run.isWarned) {
      run.isWarned = true
      running.tell(one, `memory: it uses ${used}`)
      one.row = { ...one.row, reason: `memory: ${used}` }
      changed(one)
    } else if (share < warnShare - 0.1 && run.isWarned) {
      run.isWarned = false
      one.row = { ...one.row, reason: null }
      changed(one)
    }
  }

  const check = (one: LiveWorkload, run: CurrentRun): void => {
    const { health } = run.spec
    if (!health || run.checks) return
    const startedMono = run.sinceMono ?? clock.mono()
    if (health.log) run.pulse = createPulse(health.log.contains, clock.mono)
    const { env, cwd, identity } = cwdAndWordsOf(one, surroundings)
    const probe = createProbe(health, {
      process: { env, cwd, uid: identity?.uid, gid: identity?.gid },
      lastWroteMono: () => run.pulse?.lastMono() ?? null,
      startedMono,
      clock,
    })
    run.checks = startChecks({
      ...{ health, probe, clock, startedMono },
      changed: (state, reason) => {
        one.health = state
        one.healthReason = reason
        running.tell(one, reason === null ? `health: ${state}` : `health: ${state}: ${reason}`)
        changed(one)
        if (state === 'unhealthy' && health.on_unhealthy === 'restart')
          running.stop(one, 'unhealthy', `unhealthy: ${reason ?? ''}`)
      },
    })
  }

  let ticking: { cancel(): void } | undefined
  return {
    begin: (): void => {
      ticking = every(clock, 1000, () => {
        seconds++
        for (const one of live.values()) if (one.run) weigh(one, one.run)
      })
    },
    started: check,
    wrote: (one: LiveWorkload, bytes: Buffer): void => one.run?.pulse?.take(bytes),
    close: (): void => ticking?.cancel(),
  }
}
export type Tending = ReturnType<typeof createTending>
