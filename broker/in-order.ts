/** Runs steps in the order in which they were entered, though what they wait for comes in another. */
export interface InOrder {
  /** `ready` is waited for, if it is there; then, when all before have run, `step` runs with how that ended. */
  enter(ready: Promise<unknown> | undefined, step: (failure: { error: unknown } | undefined) => void): void
  waiting(): number
}

export const createInOrder = (): InOrder => {
  interface Entry {
    isReady: boolean
    failure: { error: unknown } | undefined
    step: (failure: { error: unknown } | undefined) => void
  }
  let entries: Entry[] = []

  const run = (): void => {
    let done = 0
    for (const entry of entries) {
      if (!entry.isReady) break
      done += 1
      entry.step(entry.failure)
    }
    if (done > 0) entries = entries.slice(done)
  }

  return {
    enter: (ready, step) => {
      if (!ready && entries.length === 0) return step(undefined)
      const entry: Entry = { isReady: ready === undefined, failure: undefined, step }
      entries.push(entry)
      ready?.then(
        () => {
          entry.isReady = true
          run()
        },
        (error: unknown) => {
          entry.failure = { error }
          entry.isReady = true
          run()
        },
      )
    },
    waiting: () => entries.length,
  }
}
