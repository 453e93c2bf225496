import { useEffect, useState } from 'preact/hooks'
import { useLivePicture } from '../../live/use-live.ts'

/** How long to wait for the next letter, and how often what matches may be another. */
const typingMs = 250
const againMs = 10_000

/** Which devices meet a selector: by their numbers, or what cannot be read in it. Null for an empty one. */
export const useMatch = (
  selector: string,
  isLive: boolean,
): { matching: ReadonlySet<number> | null; fault: string | undefined } => {
  const live = useLivePicture()
  const [answer, setAnswer] = useState<{ matching: ReadonlySet<number> | null; fault: string | undefined }>(none)
  useEffect(() => {
    if (selector.trim() === '') return setAnswer(none)
    if (!isLive) return
    let isOver = false
    let timer: ReturnType<typeof setTimeout>
    const ask = async () => {
      const outcome = await live.match(selector)
      if (isOver) return
      if (outcome.ok) setAnswer({ matching: new Set(outcome.output), fault: undefined })
      else if (!outcome.error.retryable) setAnswer((before) => ({ ...before, fault: outcome.error.message }))
      timer = setTimeout(() => void ask(), againMs)
    }
    timer = setTimeout(() => void ask(), typingMs)
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [live, selector, isLive])
  return answer
}

const none = { matching: null, fault: undefined }
