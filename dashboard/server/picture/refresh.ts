import type { Clock, Timer } from '../../../base/clock.ts'

/**
 * Asks for something again when it may have changed: one question at a time, at least `gapMs` after the last one, however often it is
 * wanted meanwhile; and every `everyMs` in any case.
 */
export const createRefresh = (clock: Clock, { gapMs, everyMs }: { gapMs: number; everyMs: number }, ask: () => Promise<void>) => {
  let timer: Timer | undefined
  let isAsking = false
  let isWanted = false
  let isOn = false
  let lastAtMono = Number.NEGATIVE_INFINITY
  let hasAnswered = false

  const plan = (): void => {
    timer?.cancel()
    if (!isOn || isAsking) return
    const sinceMs = clock.mono() - lastAtMono
    timer = clock.after(Math.max(0, (isWanted ? gapMs : everyMs) - sinceMs), () => void run())
  }

  const run = async (): Promise<void> => {
    isAsking = true
    isWanted = false
    try {
      await ask()
    } finally {
      isAsking = false
      hasAnswered = true
      lastAtMono = clock.mono()
      plan()
    }
  }

  return {
    want: (): void => {
      if (isWanted) return
      isWanted = true
      plan()
    },
    start: (): void => {
      if (isOn) return
      isOn = true
      isWanted = true
      plan()
    },
    /** As if nothing had been asked yet: soon, and what was answered before does not count. */
    askAnew: (): void => {
      hasAnswered = false
      lastAtMono = Number.NEGATIVE_INFINITY
      isWanted = true
      plan()
    },
    /** Whether an answer has come, of whatever kind, since it was started. */
    hasAnswered: (): boolean => hasAnswered,
    stop: (): void => {
      isOn = false
      hasAnswered = false
      lastAtMono = Number.NEGATIVE_INFINITY
      timer?.cancel()
    },
  }
}
export type Refresh = ReturnType<typeof createRefresh>
