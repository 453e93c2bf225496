import { type Clock, every } from '../../base/clock.ts'
import type { Plugins } from '../../base/plugins/plugins.ts'
import { instant } from '../../schemas/ids.ts'
import type { Health } from '../../schemas/workload.ts'
import { askPlugin } from './health/ask-plugin.ts'
import { startChecks } from './health/checks.ts'
import { createProbe, type Probe, type ProbeDeps } from './health/probe.ts'
import { createPulse } from './health/pulse.ts'
import type { CurrentRun, LiveWorkload } from './live-workload.ts'
import { notThere } from './plugin-needs.ts'
import type { Running } from './running.ts'
import { cwdAndWordsOf, type Surroundings } from './surroundings.ts'

export interface TendingDeps {
  clock: Clock
  running: Running
  surroundings: Surroundings
  live: ReadonlyMap<string, LiveWorkload>
  /** What plugins provide. */
  healthCheck: Plugins['healthCheck']
  changed: (one: LiveWorkload) => void
}

/** From this share of its limit on the memory of a workload is worth a warning. */
const warnShare = 0.9
/** For checks that start nothing: the plugin of a type is not asked for them what it runs. */
const nowhere: ProbeDeps['process'] = { env: {}, cwd: '/' }
/** How often the memory of one without a limit is looked at: it is for show. */
const showEvery = 15

/** Looks after what runs: its memory, and whether it is well. */
export const createTending = ({ clock, running, surroundings, live, healthCheck, changed }: TendingDeps) => {
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

  const processOf = (one: LiveWorkload): ProbeDeps['process'] => {
    const { env, cwd, identity } = cwdAndWordsOf(one, surroundings)
    return { env, cwd, uid: identity?.uid, gid: identity?.gid }
  }

  const probeOf = (one: LiveWorkload, run: CurrentRun, health: Health): Probe => {
    const askCheck = (name: string, params: Record<string, unknown>): Probe | undefined => {
      const found = healthCheck(name)
      if (!found) return void running.tell(one, `health: ${notThere('health check', name)}`)
      const { run_id, started_at } = run.row
      // A copy for each: a plugin may do with it what it likes.
      return askPlugin(found, () => ({
        ...{ name: one.row.name, pid: run.pid, run_id, params: structuredClone(params) },
        started_at: started_at === null ? null : instant(started_at),
      }))
    }
    try {
      return createProbe(health, {
        process: health.command === undefined ? nowhere : processOf(one),
        lastWroteMono: () => run.pulse?.lastMono() ?? null,
        // What was written before this daemon is not known to it: it can tell of a silence only from now on.
        startedMono: clock.mono(),
        clock,
        askPlugin: askCheck,
      })
    } catch (error) {
      // The plugin of its type says no more where it runs: what runs goes on all the same.
      const reason = error instanceof Error ? error.message : String(error)
      return async () => ({ kind: 'fail', reason })
    }
  }

  const check = (one: LiveWorkload, run: CurrentRun): void => {
    const { health } = run.spec
    if (!health || run.checks) return
    const startedMono = run.sinceMono ?? clock.mono()
    if (health.log) run.pulse = createPulse(health.log.contains, clock.mono)
    const probe = probeOf(one, run, health)
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
