import { describe, expect, test } from 'vitest'
import { applyReport, type ReportedRun } from '../../controller/core/reports.ts'
import type { RunChange } from '../../schemas/exchange.ts'
import { isRunOver, reportedRunStates } from '../../schemas/run-states.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

const start = Date.parse('2030-01-01T00:00:00.000Z')
const now = start + 60_000
const iso = (ms: number) => new Date(ms).toISOString()
const run = (more: Partial<ReportedRun> = {}): ReportedRun => ({
  state: 'dispatched',
  reason: null,
  exit_code: null,
  signal: null,
  dispatched_at: start,
  accepted_at: null,
  started_at: null,
  ended_at: null,
  cancel_requested_at: null,
  confirmed: null,
  log: null,
  late: null,
  agent: null,
  ...more,
})
const log = { last_seq: 1, lines: 1, bytes: 2, dropped_lines: 0, dropped_bytes: 0 }
const change = (state: RunChange['state'], more: Partial<RunChange> = {}): RunChange => ({
  seq: 1,
  run: 'r-1',
  state,
  at: iso(start + 5000),
  ...more,
})
const late = (one: ReportedRun | undefined): unknown => (one?.late ? JSON.parse(one.late) : one?.late)

describe('applyReport()', () => {
  test('carries a run from state to state, with the times of its device', () => {
    const accepted = applyReport(run(), change('accepted', { at: iso(start + 1000) }), now)
    expect(accepted).toMatchObject({ state: 'accepted', accepted_at: start + 1000, started_at: null, ended_at: null })
    const running = applyReport(accepted ?? run(), change('running', { at: iso(start + 2000) }), now)
    expect(running).toMatchObject({ state: 'running', accepted_at: start + 1000, started_at: start + 2000 })
    const failed = applyReport(
      running ?? run(),
      change('failed', { at: iso(start + 3000), exit_code: 3, reason: 'exited with 3', log }),
      now,
    )
    expect(failed).toMatchObject({ state: 'failed', exit_code: 3, reason: 'exited with 3', ended_at: start + 3000, late: null })
    expect(JSON.parse(failed?.log ?? '')).toEqual(log)
  })

  test('a run that was never told to run has no start when it is rejected', () => {
    expect(applyReport(run(), change('rejected', { reason: 'expired' }), now)).toMatchObject({
      state: 'rejected',
      started_at: null,
    })
  })

  test.each([
    ['ten years ahead', start + 3e11, now],
    ['before it was dispatched', start - 1e9, start],
    ['within', start + 7000, start + 7000],
  ])('a device’s time that is %s is held between the dispatch and now', (_, told, expected) => {
    expect(applyReport(run(), change('succeeded', { at: iso(told) }), now)).toMatchObject({
      ended_at: expected,
      started_at: expected,
    })
  })

  test('times never run backwards: no run starts before it is accepted, or ends before it starts', () => {
    const running = run({ state: 'running', accepted_at: start + 10_000, started_at: start + 20_000 })
    expect(applyReport(running, change('succeeded', { at: iso(start + 5000) }), now)?.ended_at).toBe(start + 20_000)
    const accepted = run({ state: 'accepted', accepted_at: start + 10_000 })
    expect(applyReport(accepted, change('running', { at: iso(start + 5000) }), now)?.started_at).toBe(start + 10_000)
  })

  test('a report of what is known, or of less, is stale', () => {
    expect(applyReport(run({ state: 'running' }), change('accepted'), now)).toBeUndefined()
    expect(applyReport(run({ state: 'running' }), change('running'), now)).toBeUndefined()
    expect(applyReport(run({ state: 'unknown', started_at: start }), change('running'), now)).toMatchObject({ state: 'running' })
  })

  test('cancel wins from its commit: a real outcome is kept as late, and confirms it', () => {
    for (const state of ['succeeded', 'failed', 'timed_out', 'rejected'] as const) {
      const ended = applyReport(run({ state: 'running', cancel_requested_at: start }), change(state, { exit_code: 0, log }), now)
      expect(ended).toMatchObject({ state: 'cancelled', confirmed: 1, reason: 'cancelled' })
      expect(late(ended)).toMatchObject({ state, exit_code: 0 })
    }
    const plain = applyReport(run({ state: 'running', cancel_requested_at: start }), change('cancelled', { log }), now)
    expect(plain).toMatchObject({ state: 'cancelled', confirmed: 1, late: null })
  })

  test('a cancelled run still shows that it runs until it ends', () => {
    expect(applyReport(run({ cancel_requested_at: start }), change('running'), now)).toMatchObject({
      state: 'running',
      confirmed: null,
    })
  })

  test('an unconfirmed cancel is confirmed by any end, and stays cancelled', () => {
    const open = run({ state: 'cancelled', confirmed: 0, ended_at: start + 30_000, cancel_requested_at: start })
    for (const state of ['cancelled', 'succeeded', 'failed'] as const) {
      const ended = applyReport(open, change(state, { log }), now)
      expect(ended).toMatchObject({ state: 'cancelled', confirmed: 1, ended_at: start + 30_000 })
      expect(late(ended)).toEqual(state === 'cancelled' ? null : expect.objectContaining({ state }))
    }
    expect(applyReport(open, change('running'), now)).toBeUndefined()
  })

  test('what is said of a lost run later goes to late, once', () => {
    const lost = run({ state: 'lost', reason: 'nothing heard', ended_at: start + 1000 })
    const told = applyReport(lost, change('succeeded', { exit_code: 0, log }), now)
    expect(told).toMatchObject({ state: 'lost', reason: 'nothing heard', exit_code: null, ended_at: start + 1000 })
    expect(late(told)).toMatchObject({ state: 'succeeded', exit_code: 0 })
    expect(applyReport(told ?? lost, change('failed'), now)).toBeUndefined()
  })

  test('whatever a device says in whatever order, an end never changes', () => {
    const random = randomFrom(17)
    for (let round = 0; round < 3000; round++) {
      let one = run({ cancel_requested_at: random() < 0.3 ? start : null })
      let end: Pick<ReportedRun, 'state' | 'ended_at' | 'exit_code' | 'reason'> | null = null
      for (let step = 0; step < 8; step++) {
        const state = reportedRunStates[Math.floor(random() * reportedRunStates.length)] ?? 'accepted'
        const at = iso(start + Math.floor(random() * 200_000 - 60_000))
        one = applyReport(one, change(state, { at, exit_code: step, reason: `step ${step}` }), now) ?? one
        if (end !== null) expect(one).toMatchObject(end)
        else if (isRunOver(one.state)) {
          const { ended_at, exit_code, reason } = one
          end = { state: one.state, ended_at, exit_code, reason }
          if (one.cancel_requested_at !== null) expect(one.state).toBe('cancelled')
          expect(ended_at).toBeGreaterThanOrEqual(start)
          expect(ended_at).toBeLessThanOrEqual(now)
          expect((one.started_at ?? start) <= (ended_at ?? 0)).toBe(true)
        }
      }
    }
  })
})
