import { type Clock, sleep } from '../../base/clock.ts'

export interface Bell {
  ring: () => void
  /** Resolves after `ms`, sooner when it rings, at once when it rang since the last wait. */
  wait: (ms: number) => Promise<void>
}

/** Wakes whoever waits to ask again, when something has happened. */
export const createBell = (clock: Clock): Bell => {
  let hasRung = false
  let abort: AbortController | undefined
  return {
    ring: () => {
      hasRung = true
      abort?.abort()
    },
    wait: async (ms) => {
      if (!hasRung) {
        abort = new AbortController()
        await sleep(clock, ms, abort.signal)
      }
      hasRung = false
      abort = undefined
    },
  }
}
