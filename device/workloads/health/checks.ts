import type { Clock, Timer } from '../../../base/clock.ts'
import type { Health } from '../../../schemas/workload.ts'
import type { HealthState } from '../../../schemas/workload-status.ts'
import { type HealthMemory, judge, type ProbeResult, unknownHealth } from './judge.ts'
import type { Probe } from './probe.ts'

export interface ChecksDeps {
  health: Pick<Health, 'interval_seconds' | 'timeout_seconds' | 'healthy_after' | 'unhealthy_after' | 'start_period_seconds'>
  probe: Probe
  clock: Clock
  /** When the run began, on the monotonic clock. */
  startedMono: number
  /** What an earlier daemon knew of the same run. */
  known?: HealthMemory
  /** Is called when the health is another one, and never after `close`. */
  changed: (health: HealthState, reason: string | null) => void
}

export interface Checks {
  memory(): HealthMemory
  /** Ends the check that is being made; resolves when nothing of it is left. */
  close(): Promise<void>
}

/** So soon after a start it is looked for the first time, and then so often until something is known. */
const firstMs = 250
const eagerMs = 1000

/**
 * Checks one run of a workload every `interval_seconds`, never twice at a time. Until a check has passed it looks each second
 * besides, so that what depends on the workload starts soon; a failure in between does not count, so a slow start has as long
 * as the rules say.
 */
export const startChecks = ({ health, probe, clock, startedMono, known, changed }: ChecksDeps): Checks => {
  const intervalMs = health.interval_seconds * 1000
  let memory = known ?? unknownHealth
  let isClosed = false
  let running: { abort: AbortController; done: Promise<void> } | null = null
  let nextBeat = clock.mono() + (memory.health === 'unknown' ? intervalMs : Math.min(intervalMs, eagerMs))
  let timer: Timer = clock.after(Math.min(intervalMs, firstMs), look)

  function look(): void {
    const abort = new AbortController()
    running = { abort, done: check(abort) }
  }

  const check = async (abort: AbortController): Promise<void> => {
    const isBeat = clock.mono() >= nextBeat
    if (isBeat) nextBeat = clock.mono() + intervalMs
    const result = await askInTime(abort)
    running = null
    if (isClosed) return
    if (isBeat || result.kind === 'pass') takeIn(result)
    // What is told of a change may have closed this.
    if (!isClosed) timer = clock.after(waitMs(), look)
  }

  const askInTime = async (abort: AbortController): Promise<ProbeResult> => {
    let isLate = false
    const limit = clock.after(health.timeout_seconds * 1000, () => {
      isLate = true
      abort.abort()
    })
    try {
      const result = await probe(abort.signal)
      return isLate ? { kind: 'fail', reason: `no answer within ${health.timeout_seconds} s` } : result
    } catch (error) {
      return { kind: 'fail', reason: error instanceof Error ? error.message : String(error) }
    } finally {
      limit.cancel()
    }
  }

  const takeIn = (result: ProbeResult): void => {
    const before = memory.health
    memory = judge(memory, result, health, clock.mono(), startedMono)
    if (memory.health !== before) changed(memory.health, memory.reason)
  }

  const waitMs = (): number => {
    const toBeat = Math.max(0, nextBeat - clock.mono())
    return memory.health === 'unknown' && memory.passes === 0 ? Math.min(toBeat, eagerMs) : toBeat
  }

  return {
    memory: () => memory,
    close: async () => {
      isClosed = true
      timer.cancel()
      running?.abort.abort()
      await running?.done
    },
  }
}
