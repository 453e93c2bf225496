import { type Clock, every, type Timer } from '../../base/clock.ts'
import type { ReleaseLife } from './life.ts'
import { isSameWish } from './life.ts'

export interface GoingBackDeps {
  clock: Clock
  /** Whether the controller can hear this device. */
  isReached: () => boolean
  goBack: (life: ReleaseLife) => void
}

/** So long the controller has the time to say what is to become of a release that has failed. */
export const aloneMs = 30_000
const lookMs = 1000

/** Whether a device may have to go back by itself: it runs what has failed. */
export const mayGoBack = ({ state, wentBack, wanted, active }: ReleaseLife): boolean =>
  state === 'failed' && !wentBack && wanted?.judge.goes_back === true && isSameWish(wanted, active)

/** Counts for how long a device that runs a failed release has been alone, and has it go back after 30 s. */
export const createGoingBack = ({ clock, isReached, goBack }: GoingBackDeps) => {
  const waiting = new Map<string, { life: ReleaseLife; sinceMono: number | null }>()
  let looking: Timer | undefined

  const look = (): void => {
    for (const [name, one] of waiting) {
      one.sinceMono = isReached() ? null : (one.sinceMono ?? clock.mono())
      if (one.sinceMono === null || clock.mono() - one.sinceMono < aloneMs) continue
      forget(name)
      goBack(one.life)
    }
  }
  const forget = (name: string): void => {
    waiting.delete(name)
    if (waiting.size > 0) return
    looking?.cancel()
    looking = undefined
  }

  return {
    /** The release stands like this now. */
    consider: (life: ReleaseLife): void => {
      if (!mayGoBack(life)) return forget(life.name)
      if (waiting.has(life.name)) return
      waiting.set(life.name, { life, sinceMono: isReached() ? null : clock.mono() })
      looking ??= every(clock, lookMs, look)
    },
    forget,
    close: (): void => {
      for (const name of [...waiting.keys()]) forget(name)
    },
  }
}
