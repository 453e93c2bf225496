import { describe, expect, test } from 'vitest'
import { illOf, type Judged, type JudgeInput, judgeRelease } from '../../device/releases/judge.ts'

const service = (over: Partial<Judged> = {}): Judged => ({
  ...{ name: 'web', run_mode: 'forever', state: 'running', health: null, failures: 0, reason: null },
  ...over,
})
const judge = { min_healthy_seconds: 10, health_timeout_seconds: 60, goes_back: false }
const judged = (over: Partial<JudgeInput> = {}) =>
  judgeRelease({ judge, workloads: [service()], failedEnds: {}, wellSinceMono: null, beganMono: 0, nowMono: 0, ...over })

describe('judgeRelease()', () => {
  test('says nothing before all was well for long enough, and when to look again', () => {
    expect(judged({ nowMono: 3000 })).toEqual({ kind: 'settling', wellSinceMono: 3000, lookAfterMs: 10_000 })
    expect(judged({ nowMono: 9000, wellSinceMono: 3000 })).toEqual({ kind: 'settling', wellSinceMono: 3000, lookAfterMs: 4000 })
    expect(judged({ nowMono: 55_000 })).toMatchObject({ lookAfterMs: 5000 })
  })

  test('healthy: all were well without a break', () => {
    expect(judged({ nowMono: 13_000, wellSinceMono: 3000 })).toEqual({ kind: 'healthy' })
    expect(judged({ judge: { ...judge, min_healthy_seconds: 0 } })).toEqual({ kind: 'healthy' })
    expect(judged({ workloads: [], nowMono: 10_000, wellSinceMono: 0 }), 'of files only').toEqual({ kind: 'healthy' })
  })

  test('a break begins the time anew', () => {
    const ill = service({ state: 'backoff' })
    expect(judged({ workloads: [service(), ill], nowMono: 12_000, wellSinceMono: 3000 })).toEqual({
      ...{ kind: 'settling', wellSinceMono: null, lookAfterMs: 48_000 },
    })
  })

  test.each([
    [
      { workloads: [service({ state: 'crash_loop', reason: '3 runs in a row failed' })] },
      '"web" is in a crash loop: 3 runs in a row failed',
    ],
    [{ workloads: [service({ state: 'failed', reason: 'exited with 3' })] }, '"web" is failed: exited with 3'],
    [
      { failedEnds: { web: 2 }, workloads: [service({ state: 'backoff', reason: 'exited with 3' })] },
      '"web" has ended in failure twice: exited with 3',
    ],
    [{ nowMono: 60_000, workloads: [service({ state: 'starting' })] }, 'it was not healthy within 60 s: "web" is starting'],
    [
      { nowMono: 60_000, workloads: [service({ health: 'unhealthy', reason: 'refused' })] },
      'it was not healthy within 60 s: "web" is unhealthy: refused',
    ],
    [{ nowMono: 60_000, wellSinceMono: 52_500 }, 'it was not healthy within 60 s: it was well only for the last 7 s'],
  ] satisfies [Partial<JudgeInput>, string][])('failed: %j', (input, reason) => {
    expect(judged(input)).toEqual({ kind: 'failed', reason })
  })

  test('one end in failure of each, and one of a workload that is not of it, are none too many', () => {
    expect(judged({ workloads: [service(), service({ name: 'db' })], failedEnds: { web: 1, db: 1, other: 9 } }).kind).toBe(
      'settling',
    )
  })

  test('long enough is long enough, also at the very end', () => {
    expect(judged({ nowMono: 60_000, wellSinceMono: 50_000 })).toEqual({ kind: 'healthy' })
  })
})

describe('illOf()', () => {
  const n = { run_mode: 'n_times' } as const
  const s = { run_mode: 'schedule' } as const
  test.each([
    ['a service that runs', service(), true],
    ['one whose check says so', service({ health: 'healthy' }), true],
    ['one that was not checked yet', service({ health: 'unknown' }), false],
    ['one that is unhealthy', service({ health: 'unhealthy' }), false],
    ['one that starts', service({ state: 'starting' }), false],
    ['one that waits for another', service({ state: 'registered' }), false],
    ['one that waits for its next start', service({ state: 'backoff' }), false],
    ['one that somebody has stopped', service({ state: 'stopped' }), false],
    ['one that has done its work', service({ state: 'completed' }), true],
    ['one of some runs that runs', service({ ...n }), true],
    ['one of some runs that is completed', service({ ...n, state: 'completed' }), true],
    ['one of some runs between them', service({ ...n, state: 'backoff' }), false],
    ['a scheduled one between firings', service({ ...s, state: 'registered' }), true],
    ['a scheduled one that begins to run', service({ ...s, state: 'starting' }), true],
    ['a scheduled one that runs', service({ ...s, health: 'unknown' }), true],
    ['a scheduled one whose last run has failed', service({ ...s, state: 'registered', failures: 1 }), false],
    ['a scheduled one that somebody has stopped', service({ ...s, state: 'stopped' }), false],
  ])('%s is well: %#', (_, one, isWell) => {
    expect(illOf([one], false) === undefined).toBe(isWell)
  })

  test('after the verdict a check that has not spoken is no news', () => {
    expect(illOf([service({ health: 'unknown' })], true)).toBeUndefined()
  })
})
