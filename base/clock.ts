/** Time as the product sees it. Decisions take instants as arguments; whoever waits takes a clock, so that tests can bend it. */
export interface Clock {
  /** Milliseconds since 1970, by the wall clock, which may jump. */
  now(): number
  /** Milliseconds on the kernel's monotonic clock: since boot, the same in every process, never backwards. */
  mono(): number
  /** Calls once, after `ms`. */
  after(ms: number, call: () => void): Timer
  /** Calls once, when everything that has already arrived has been taken in. */
  soon(call: () => void): void
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => Number(process.hrtime.bigint() / 1_000_000n),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(ms, 2_147_483_647))
    return { cancel: () => clearTimeout(timer) }
  },
  soon: (call) => {
    setImmediate(call)
  },
}

/** Calls again and again, `ms` after the last call has returned, until cancelled. */
export const every = (clock: Clock, ms: number, call: () => void): Timer => {
  let timer = clock.after(ms, again)
  function again(): void {
    timer = clock.after(ms, again)
    call()
  }
  return { cancel: () => timer.cancel() }
}

export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = clock.after(ms, wake)
    signal?.addEventListener('abort', wake)
    function wake(): void {
      timer.cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
  })
