import { stat } from 'node:fs/promises'
import { type Clock, every } from './clock.ts'

const lookEveryMs = 2000

/**
 * Calls when files have changed, one call after the other. Their state is looked at now and then: it changes too where a link is set
 * to another file, which no watch on the file tells.
 */
export const watchFiles = (files: readonly string[], changed: () => void | Promise<void>, clock: Clock) => {
  let seen: string | undefined
  const look = async (): Promise<void> => {
    const state = await stateOf(files)
    const isNew = seen !== undefined && state !== seen
    seen = state
    if (isNew) await changed()
  }
  let looking = look()
  const timer = every(clock, lookEveryMs, () => {
    looking = looking.then(look)
  })
  return { close: () => timer.cancel() }
}

const stateOf = async (files: readonly string[]): Promise<string> => {
  const states = await Promise.all(
    files.map((file) =>
      stat(file).then(
        (one) => `${one.ino} ${one.size} ${one.mtimeMs}`,
        () => 'missing', // between the removal of the old file and the new one; looked at again soon
      ),
    ),
  )
  return states.join('; ')
}
