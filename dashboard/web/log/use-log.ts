import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import type { RecordsView } from '../live/looks.ts'
import { useLivePicture } from '../live/use-live.ts'
import { beginningOf } from './beginning.ts'
import { createLogStore, type LogStore } from './log-store.ts'

/** How a log stands: older lines are still on their way, new ones come as they are written, or there will be no more. */
export type LogStanding = 'catching-up' | 'live' | 'complete'

export interface FollowedLog {
  store: LogStore
  /** Another one whenever lines have come, at most twenty times a second. */
  version: number
  /** The instant of its first line. */
  startedAt: number
  standing: LogStanding
  /** Older lines are not here, and how many is not known: their numbers count from the first one that is. */
  isCut: boolean
  error: WireError | null
}

/** Follows a log for as long as somebody looks at it. */
export const useLog = (view: RecordsView): FollowedLog => {
  const live = useLivePicture()
  const key = JSON.stringify(view)
  const store = useMemo(() => createLogStore({ from: view.after }), [key])
  const [version, setVersion] = useState(0)
  const [standing, setStanding] = useState<LogStanding>('catching-up')
  const [error, setError] = useState<WireError | null>(null)
  const startedAt = useRef(0)
  const isCut = useRef(false)
  const onFrame = useFrames(() => setVersion((before) => before + 1))

  useEffect(() => {
    setStanding('catching-up')
    setError(null)
    startedAt.current = 0
    isCut.current = false
    let isComplete = false
    return live.follow(view, {
      onRecords: (records, { complete }) => {
        setError(null)
        if (view.after === 0 && store.end() === 0) {
          const beginning = beginningOf(records)
          store.begin(beginning.index)
          isCut.current = beginning.isCut
        }
        store.append(records)
        startedAt.current ||= records[0]?.[1] ?? 0
        isComplete = complete
        onFrame()
      },
      onAnew: () => {
        setError(null)
        store.clear()
        startedAt.current = 0
        isCut.current = false
        onFrame()
      },
      onLive: (isLive) => setStanding(isComplete ? 'complete' : isLive ? 'live' : 'catching-up'),
      // The server goes on by itself, and then this is over.
      onWrong: (error) => {
        setError(error)
        setStanding('catching-up')
      },
    })
  }, [live, store])
  return { store, version, startedAt: startedAt.current, standing, isCut: isCut.current, error }
}

/** What comes is shown at most so often: nobody reads faster, and the page has more to do. */
const leastMs = 50

/** Calls back in a frame soon, once for however many asked. */
export const useFrames = (callback: () => void): (() => void) => {
  const latest = useRef(callback)
  latest.current = callback
  const frames = useMemo(() => {
    let frame = 0
    let last = 0
    const onFrame = (now: number): void => {
      if (now - last < leastMs) {
        frame = requestAnimationFrame(onFrame)
        return
      }
      frame = 0
      last = now
      latest.current()
    }
    return {
      ask: (): void => {
        frame ||= requestAnimationFrame(onFrame)
      },
      stop: (): void => cancelAnimationFrame(frame),
    }
  }, [])
  useEffect(() => frames.stop, [])
  return frames.ask
}
