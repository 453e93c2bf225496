import { useEffect, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import type { LogRecord } from '../../../schemas/log.ts'
import type { RecordsView } from '../live/looks.ts'
import { useLivePicture } from '../live/use-live.ts'
import { useFrames } from '../log/use-log.ts'
import { type Conversation, conversationAfter, noConversation } from './conversation.ts'

export interface FollowedConversation {
  conversation: Conversation
  /** All that there is has come. */
  isLive: boolean
  error: WireError | null
}

/** Follows what the agent of a run does. */
export const useConversation = (view: RecordsView): FollowedConversation => {
  const live = useLivePicture()
  const [conversation, setConversation] = useState<Conversation>(noConversation)
  const [isLive, setLive] = useState(false)
  const [error, setError] = useState<WireError | null>(null)
  const waiting = useRef<{ records: LogRecord[]; isAnew: boolean }>({ records: [], isAnew: true })
  const onFrame = useFrames(() => {
    const { records, isAnew } = waiting.current
    waiting.current = { records: [], isAnew: false }
    setConversation((before) => conversationAfter(isAnew ? noConversation : before, records))
  })
  const key = JSON.stringify(view)
  useEffect(() => {
    const anew = (): void => {
      waiting.current = { records: [], isAnew: true }
      onFrame()
    }
    anew()
    setError(null)
    return live.follow(view, {
      onRecords: (records) => {
        waiting.current.records.push(...records)
        setError(null)
        onFrame()
      },
      onAnew: () => {
        setError(null)
        anew()
      },
      onLive: setLive,
      // The server goes on by itself, and then this is over.
      onWrong: (error) => {
        setError(error)
        setLive(false)
      },
    })
  }, [live, key])
  return { conversation, isLive, error }
}
