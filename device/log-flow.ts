import type { Live, LiveRuns } from './live-runs.ts'

export interface LogFlowDeps {
  live: LiveRuns
  /** New records wait to be sent. */
  wake: () => void
  isFlowing: () => boolean
}

/** Above this much unacknowledged log a program waits, and goes on below the half. */
const holdAboveBytes = 8 * 1024 * 1024

/** Lets programs write as fast as their output is taken. */
export const createLogFlow = ({ live, wake, isFlowing }: LogFlowDeps) => {
  /** Lets a program wait while too much of its output is on its way; not while nobody takes any, then the budget decides. */
  const hold = (one: Live): void => {
    const limit = one.isPaused ? holdAboveBytes / 2 : holdAboveBytes
    const shouldPause =
      one.log.isFull() || one.events?.isFull() === true || (isFlowing() && one.log.unacknowledgedBytes() > limit)
    if (shouldPause === one.isPaused) return
    one.isPaused = shouldPause
    one.log.hold(shouldPause)
    if (shouldPause) one.handle?.pause()
    else one.handle?.resume()
  }

  return {
    hold,
    /** The log of a run has something to send, or room again. */
    changed: (run: string): void => {
      const one = live.byId.get(run)
      if (one) hold(one)
      wake()
    },
  }
}
export type LogFlow = ReturnType<typeof createLogFlow>
