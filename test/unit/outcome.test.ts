import { describe, expect, test } from 'vitest'
import { doublingMs, fullJitterMs } from '../../base/backoff.ts'
import { chanceFrom } from '../../base/chance.ts'
import { leaseVerdict, resendAfterMs, silentAfterMs } from '../../controller/core/leases.ts'
import { afterRun, worse } from '../../controller/core/outcome.ts'
import { presenceOf } from '../../schemas/presence.ts'
import { terminalRunStates } from '../../schemas/run-states.ts'
import { terminalTaskStates } from '../../schemas/task-states.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

const now = 1_000_000

describe('afterRun()', () => {
  test('tries again what failed, timed out or was lost, up to `retries` times; nothing else, and nothing that is cancelled', () => {
    for (const state of terminalRunStates)
      for (let tries = 1; tries <= 5; tries++)
        for (const isCancelled of [false, true]) {
          const next = afterRun({ state, reason: null, tries }, { retries: 3 }, isCancelled, now, 0.5)
          const mayRetry = ['failed', 'timed_out', 'lost'].includes(state) && tries <= 3 && !isCancelled
          expect([state, tries, isCancelled, next.kind]).toEqual([state, tries, isCancelled, mayRetry ? 'retry' : 'end'])
          if (next.kind === 'end') expect(next.as).toBe(isCancelled ? 'cancelled' : state)
        }
  })

  test('by default nothing is tried again', () => {
    expect(afterRun({ state: 'failed', reason: 'exited with 1', tries: 1 }, {}, false, now, 0)).toEqual({
      kind: 'end',
      as: 'failed',
      reason: 'exited with 1',
    })
  })

  test('the wait doubles with jitter between half and all of it, and never grows beyond an hour', () => {
    const waitOf = (tries: number, random: number, first = 10) => {
      const options = { retries: 100, retry_backoff_seconds: first }
      const next = afterRun({ state: 'failed', reason: null, tries }, options, false, now, random)
      return next.kind === 'retry' ? next.dueAt - now : Number.NaN
    }
    for (let tries = 1; tries <= 100; tries++) {
      const ceiling = Math.min(3_600_000, 10_000 * 2 ** (tries - 1))
      expect([tries, waitOf(tries, 0), waitOf(tries, 0.999_999)]).toEqual([tries, ceiling / 2, expect.closeTo(ceiling, -2)])
      expect(waitOf(tries, 0.5)).toBe(ceiling * 0.75)
    }
    expect(waitOf(1, 0.7, 0)).toBe(0)
  })

  test('a first wait of more than an hour is as long as it was asked for', () => {
    const options = { retries: 3, retry_backoff_seconds: 86_400 }
    const next = afterRun({ state: 'failed', reason: null, tries: 1 }, options, false, now, 0)
    expect(next).toMatchObject({ kind: 'retry', dueAt: now + 43_200_000 })
  })

  test('a run that was refused as too late ends its task as expired; refused otherwise, as rejected', () => {
    const rejected = (reason: string) => afterRun({ state: 'rejected', reason, tries: 1 }, { retries: 9 }, false, now, 0)
    expect(rejected('expired')).toMatchObject({ kind: 'end', as: 'expired' })
    expect(rejected('full')).toEqual({ kind: 'end', as: 'rejected', reason: 'full' })
  })
})

describe('worse()', () => {
  test('a fan-out has succeeded only if every part has; the order of ends does not matter', () => {
    for (const a of terminalTaskStates) {
      expect(worse(null, a)).toBe(a)
      expect(worse(a, a)).toBe(a)
      for (const b of terminalTaskStates) {
        expect(worse(a, b)).toBe(worse(b, a))
        expect(worse(a, b) === 'succeeded').toBe(a === 'succeeded' && b === 'succeeded')
        for (const c of terminalTaskStates) expect(worse(worse(a, b), c)).toBe(worse(a, worse(b, c)))
      }
    }
    expect(worse('lost', 'failed')).toBe('failed')
  })
})

describe('leases', () => {
  test('unknown after three heartbeats and 10 s, lost after lost_after more; to the millisecond', () => {
    expect(silentAfterMs(30_000)).toBe(100_000)
    for (const [age, verdict] of [
      [0, 'held'],
      [99_999, 'held'],
      [100_000, 'unknown'],
      [399_999, 'unknown'],
      [400_000, 'lost'],
      [1e12, 'lost'],
      [-5, 'held'],
    ] as const)
      expect([age, leaseVerdict(age, 30_000, 300_000)]).toEqual([age, verdict])
    expect(leaseVerdict(100_000, 30_000, 0)).toBe('lost')
  })

  test('what is not answered is sent again after 10 s, doubling to 60', () => {
    expect([0, 1, 2, 3, 4, 5, 1000].map(resendAfterMs)).toEqual([10_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
  })
})

describe('presenceOf()', () => {
  test('online, stale after 90 s of silence, offline as soon as it has left', () => {
    expect([presenceOf(true, 0), presenceOf(true, 89_999), presenceOf(true, 90_000)]).toEqual(['online', 'online', 'stale'])
    expect([presenceOf(false, 0), presenceOf(false, 1e9)]).toEqual(['offline', 'offline'])
  })
})

describe('backoff', () => {
  test('stays within its bounds however often it is asked for', () => {
    for (let attempt = 0; attempt < 2000; attempt += 7) {
      expect(doublingMs(attempt, 10, 60)).toBeLessThanOrEqual(60)
      expect(fullJitterMs(attempt, 0, 10, 60)).toBe(0)
      expect(fullJitterMs(attempt, 0.999, 10, 60)).toBeLessThanOrEqual(60)
    }
  })
})

describe('chanceFrom()', () => {
  test('ulids are ids that rise, also within a millisecond and when the clock goes back', () => {
    const random = randomFrom(1)
    const chance = chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)))
    let last = ''
    for (let i = 0; i < 5000; i++) {
      const id = chance.ulid(i % 100 === 99 ? now - 50_000 : now + Math.floor(i / 50))
      expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/)
      expect(id > last).toBe(true)
      last = id
    }
  })

  test('random() is in [0, 1) for any bytes', () => {
    for (const byte of [0, 127, 128, 255]) {
      const value = chanceFrom((count) => new Uint8Array(count).fill(byte)).random()
      expect(value >= 0 && value < 1).toBe(true)
    }
  })
})
