import { useEffect, useRef, useState } from 'preact/hooks'
import type { Outcome, WireError } from '../../../schemas/errors.ts'
import { withCursor } from '../api/ask.ts'
import { useApi } from '../api/use-ask.ts'
import { startKeepUp } from '../live/keep-up.ts'
import { useNews } from '../live/use-live.ts'

interface Page {
  cursor: string | null
}

/** A list of which a page is read after a page is read so often at most, however fast deployments go on. */
const restMs = (tookMs: number): number => Math.max(1000, 2 * tookMs)

/** Releases or deployments, as they are now: as many pages as somebody wants to see. With another path it begins anew. */
export const useListed = <Answer extends Page, Row>(path: string, rowsOf: (answer: Answer) => readonly Row[]) => {
  const ask = useApi()
  const [state, setState] = useState<{ rows: readonly Row[] | null; hasMore: boolean }>({ rows: null, hasMore: false })
  const [error, setError] = useState<WireError | null>(null)
  const [isLoading, setLoading] = useState(true)
  const wanted = useRef({ pages: 1, ring: (): void => undefined })

  useEffect(() => {
    const leaving = new AbortController()
    setState({ rows: null, hasMore: false })
    setError(null)
    const read = async (): Promise<WireError | undefined> => {
      const rows: Row[] = []
      let cursor: string | null = null
      for (let page = 0; page === 0 || (cursor !== null && page < wanted.current.pages); page++) {
        const outcome: Outcome<Answer> = await ask('GET', withCursor(path, cursor), undefined, leaving.signal)
        if (leaving.signal.aborted) return undefined
        setError(outcome.ok ? null : outcome.error)
        if (!outcome.ok) return outcome.error
        rows.push(...rowsOf(outcome.output))
        cursor = outcome.output.cursor
      }
      setState({ rows, hasMore: cursor !== null })
      return undefined
    }
    const { ring, stop } = startKeepUp({ read, onLoading: setLoading, restMs })
    wanted.current = { pages: 1, ring }
    return () => {
      leaving.abort()
      stop()
    }
  }, [ask, path])

  useNews({ view: 'deployments' }, () => wanted.current.ring())

  return {
    ...state,
    ...{ error, isLoading },
    refresh: () => wanted.current.ring(),
    more: () => {
      wanted.current.pages += 1
      wanted.current.ring()
    },
  }
}
