import { describe, expect, test } from 'vitest'
import { type AfterExit, type AfterExitInput, afterExit, noRuns, type RunEnd } from '../../device/workloads/after-exit.ts'
import { Restart } from '../../schemas/workload.ts'

type Spec = AfterExitInput['spec']

const spec = (mode: Spec['run_mode'], restart: object = {}, maxRuns?: number): Spec => ({
  run_mode: mode,
  restart: Restart.parse(restart),
  ...(maxRuns === undefined ? {} : { max_runs: maxRuns }),
})

const failed = (seconds = 1): RunEnd => ({ outcome: 'failed', livedMs: seconds * 1000, reason: 'exit code 3' })
const succeeded = (seconds = 1): RunEnd => ({ outcome: 'succeeded', livedMs: seconds * 1000 })

/** What follows each of these ends, until nothing is started any more. */
const live = (of: Spec, ends: readonly RunEnd[], chance = 0): AfterExit[] => {
  const seen: AfterExit[] = []
  let memory = noRuns
  for (const end of ends) {
    const after = afterExit({ spec: of, memory, end, chance })
    memory = after.memory
    seen.push(after.next)
    if (after.next.kind !== 'restart' && after.next.kind !== 'wait') break
  }
  return seen
}
const last = (of: Spec, ends: readonly RunEnd[]) => live(of, ends).at(-1)
const waits = (of: Spec, ends: readonly RunEnd[], chance = 0) =>
  live(of, ends, chance).map((next) => (next.kind === 'restart' ? next.afterMs / 1000 : next.kind))
const times = (count: number, end: RunEnd): RunEnd[] => Array.from({ length: count }, () => end)

describe('w5 outcomes are true', () => {
  test('afterExit() fails an n_times workload whose runs all failed, and says why', () => {
    expect(live(spec('n_times', {}, 3), times(9, failed()))).toEqual([
      { kind: 'restart', afterMs: 5000 },
      { kind: 'restart', afterMs: 10_000 },
      { kind: 'failed', reason: 'all 3 runs failed: exit code 3' },
    ])
    expect(last(spec('n_times', {}, 1), [failed()])).toEqual({ kind: 'failed', reason: 'the run failed: exit code 3' })
  })

  test('afterExit() completes an n_times workload of which some run succeeded, and counts those that did not', () => {
    const three = spec('n_times', {}, 3)
    expect(last(three, [failed(), succeeded(), failed()])).toEqual({ kind: 'completed', reason: '2 of 3 runs failed' })
    expect(last(three, times(3, succeeded()))).toEqual({ kind: 'completed', reason: null })
  })

  test('afterExit() counts failures of firings, though the next firing comes', () => {
    const first = afterExit({ spec: spec('schedule'), memory: noRuns, end: failed(), chance: 0 })
    expect(first).toMatchObject({ next: { kind: 'wait' }, memory: { runCount: 1, succeeded: 0, failures: 1 } })
    const second = afterExit({ spec: spec('schedule'), memory: first.memory, end: succeeded(), chance: 0 })
    expect(second).toMatchObject({ next: { kind: 'wait' }, memory: { runCount: 2, succeeded: 1, failures: 0 } })
  })
})

describe('w7 restarts have an end', () => {
  test('afterExit() doubles the wait from the second failure on, up to the cap', () => {
    const of = spec('forever', { max_delay_seconds: 60, crash_loop: false })
    expect(waits(of, times(7, failed()))).toEqual([5, 10, 20, 40, 60, 60, 60])
  })

  test('afterExit() spreads waits by chance, but for the first', () => {
    const of = spec('forever', { max_delay_seconds: 60, jitter: 0.5, crash_loop: false })
    expect(waits(of, times(6, failed()), 0.5)).toEqual([5, 12.5, 25, 50, 75, 75])
  })

  test('afterExit() waits for a delay that is longer than the cap as it is', () => {
    expect(waits(spec('forever', { delay_seconds: 600, crash_loop: false }), times(3, failed()))).toEqual([600, 600, 600])
  })

  test('afterExit() keeps a delay of nothing at nothing, also after very many failures', () => {
    const of = spec('forever', { delay_seconds: 0, crash_loop: false })
    expect(new Set(waits(of, times(2000, failed()), 0.9))).toEqual(new Set([0]))
  })

  test('afterExit() begins again with the plain delay after a run that lasted, and after a success', () => {
    const of = spec('forever', { reset_after_seconds: 30 })
    expect(waits(of, [failed(), failed(), failed(30), failed()])).toEqual([5, 10, 5, 10])
    expect(waits(of, [failed(), failed(), succeeded(), failed()])).toEqual([5, 10, 5, 5])
  })

  test('afterExit() finds a crash loop whatever the waits in between', () => {
    for (const delay of [0, 1, 5, 3600]) {
      const of = spec('forever', { delay_seconds: delay, max_delay_seconds: 3600 })
      expect(live(of, times(9, failed()))).toHaveLength(5)
      expect(last(of, times(9, failed()))).toEqual({
        kind: 'crash_loop',
        reason: '5 runs in a row failed after 5.0 s of running: exit code 3',
      })
    }
    expect(last(spec('forever', { policy: 'on-failure' }), times(9, failed()))).toMatchObject({ kind: 'crash_loop' })
  })

  test('afterExit() finds no crash loop where the runs lasted long enough together, nor where it is switched off', () => {
    expect(live(spec('forever'), times(50, failed(12)))).toHaveLength(50)
    expect(live(spec('forever', { crash_loop: false }), times(50, failed(0)))).toHaveLength(50)
    expect(live(spec('forever'), times(50, failed(11.9)))).toHaveLength(5)
  })

  test('afterExit() looks at the last runs of a row only', () => {
    const of = spec('forever', { crash_loop: { starts: 3, within_seconds: 10 } })
    expect(live(of, [failed(59), failed(59), ...times(9, failed(1))])).toHaveLength(5)
  })

  test('afterExit() clears the row by a run that lasted, also if the crash loop looks further back than that', () => {
    const of = spec('forever', { reset_after_seconds: 10, crash_loop: { starts: 2, within_seconds: 100 } })
    expect(live(of, times(20, failed(10)))).toHaveLength(20)
    expect(live(of, [failed(1), failed(10), failed(1), failed(1)]).map(({ kind }) => kind)).toEqual([
      'restart',
      'restart',
      'restart',
      'crash_loop',
    ])
  })

  test('afterExit() takes clean exits for no crash loop, and never waits longer for them', () => {
    expect(waits(spec('forever'), times(50, succeeded(0)), 0.7)).toEqual(times(50, failed()).map(() => 5))
    expect(live(spec('forever'), [...times(4, failed(0)), succeeded(0), ...times(4, failed(0))])).toHaveLength(9)
  })
})

describe('afterExit() by policy', () => {
  test('forever with on-failure is completed at exit 0, with never after one run', () => {
    expect(last(spec('forever', { policy: 'on-failure' }), [failed(), succeeded()])).toEqual({ kind: 'completed', reason: null })
    expect(last(spec('forever', { policy: 'never' }), [succeeded()])).toEqual({ kind: 'completed', reason: null })
    expect(last(spec('forever', { policy: 'never' }), [failed()])).toEqual({
      kind: 'failed',
      reason: 'the run failed: exit code 3',
    })
  })

  test('n_times with on-failure tries until a run succeeds', () => {
    const of = spec('n_times', { policy: 'on-failure' }, 3)
    expect(live(of, [failed(), succeeded(), succeeded()])).toHaveLength(2)
    expect(last(of, [failed(), succeeded()])).toEqual({ kind: 'completed', reason: null })
    expect(last(of, times(3, failed()))).toEqual({ kind: 'failed', reason: 'all 3 runs failed: exit code 3' })
  })

  test('n_times with never stops at the first failure', () => {
    const of = spec('n_times', { policy: 'never' }, 3)
    expect(last(of, [succeeded(), failed(), succeeded()])).toEqual({ kind: 'failed', reason: 'run 2 of 3 failed: exit code 3' })
    expect(last(of, times(3, succeeded()))).toEqual({ kind: 'completed', reason: null })
  })

  test('n_times goes on to max_runs, however fast its runs fail', () => {
    expect(live(spec('n_times', {}, 40), times(99, failed(0)))).toHaveLength(40)
  })

  test('schedule waits for its next firing whatever the policy', () => {
    for (const policy of ['always', 'on-failure', 'never'])
      expect(live(spec('schedule', { policy }), [failed(), succeeded(), failed()])).toEqual(
        times(3, failed()).map(() => ({ kind: 'wait' })),
      )
  })
})
