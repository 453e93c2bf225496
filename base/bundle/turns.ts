import { setImmediate } from 'node:timers/promises'

/** So that many small steps do not hold the loop: called before each of them, it lets others have their turn now and then. */
export const createTurns = (every = 250) => {
  let steps = 0
  return async (): Promise<void> => {
    if (steps++ % every === every - 1) await setImmediate()
  }
}
