import type { Clock, Timer } from '../base/clock.ts'

/** Calls when `at`, on the wall clock, has come: not before, however far away it is or the clock jumps back. */
export const atInstant = (clock: Clock, at: number, call: () => void): Timer => {
  let timer = clock.after(Math.max(0, at - clock.now()), check)
  function check(): void {
    const left = at - clock.now()
    if (left <= 0) call()
    // A timer of the system ends after 24 days at the latest.
    else timer = clock.after(left, check)
  }
  return { cancel: () => timer.cancel() }
}
