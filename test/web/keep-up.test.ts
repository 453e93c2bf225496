import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startKeepUp } from '../../dashboard/web/live/keep-up.ts'
import type { WireError } from '../../schemas/errors.ts'

describe('startKeepUp()', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const world = (againAfterMs?: () => number | undefined) => {
    let reads = 0
    let refusal: WireError | undefined
    const loading: boolean[] = []
    const kept = startKeepUp({
      read: async () => {
        reads++
        return refusal
      },
      onLoading: (isLoading) => loading.push(isLoading),
      restMs: () => 400,
      ...(againAfterMs ? { againAfterMs } : {}),
    })
    return { ...kept, loading, reads: () => reads, refuse: (error: WireError | undefined) => (refusal = error) }
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  test('reads at once, then once for however many rings come while it rests', async () => {
    const { ring, reads, stop, loading } = world()
    await pass(0)
    expect([reads(), loading]).toEqual([1, [true, false]])
    for (let i = 0; i < 10; i++) ring()
    await pass(399)
    expect(reads()).toBe(1)
    await pass(1)
    expect(reads()).toBe(2)
    await pass(60_000)
    expect(reads()).toBe(2)
    ring()
    await pass(0)
    expect(reads()).toBe(3)
    stop()
  })

  test('looks again by itself after a failure that may pass, and while it is told to', async () => {
    let isGoing = true
    const { reads, stop, refuse } = world(() => (isGoing ? 2000 : undefined))
    await pass(0)
    await pass(2400)
    expect(reads()).toBe(2)
    refuse({ code: 'unavailable', message: 'away', retryable: true })
    await pass(2400)
    expect(reads()).toBe(3)
    isGoing = false
    await pass(12_000)
    expect(reads()).toBeGreaterThan(3)
    refuse(undefined)
    await pass(12_000)
    const before = reads()
    await pass(60_000)
    expect(reads()).toBe(before)
    stop()
  })

  test('reads nothing more once it is stopped', async () => {
    const { ring, reads, stop } = world(() => 10)
    await pass(0)
    stop()
    ring()
    await pass(10_000)
    expect(reads()).toBe(1)
  })
})
