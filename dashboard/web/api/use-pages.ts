import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { WireError } from '../../../schemas/errors.ts'
import { withCursor } from './ask.ts'
import { useApi } from './use-ask.ts'

export interface Pages<Row> {
  /** Those of all pages that have come; undefined before the first. */
  rows: readonly Row[] | undefined
  hasMore: boolean
  isLoading: boolean
  error: WireError | null
  more: () => void
  /** From the first page on. */
  refresh: () => void
}

interface Page {
  cursor: string | null
}

/** A list that comes in pages. `path` has its filters; with another path it begins anew, and shows the old rows until then. */
export const usePages = <Answer extends Page, Row>(
  path: string | null,
  rowsOf: (answer: Answer) => readonly Row[],
): Pages<Row> => {
  const ask = useApi()
  const [state, setState] = useState<{ rows: readonly Row[] | undefined; cursor: string | null; error: WireError | null }>({
    rows: undefined,
    cursor: null,
    error: null,
  })
  const [isLoading, setIsLoading] = useState(true)
  /** Rises with each beginning: what an older one still brings is void. */
  const turn = useRef(0)

  const load = useCallback(
    async (cursor: string | null) => {
      if (path === null) return
      const mine = ++turn.current
      setIsLoading(true)
      const outcome = await ask<Answer>('GET', withCursor(path, cursor))
      if (mine !== turn.current) return
      setIsLoading(false)
      if (!outcome.ok) return setState((before) => ({ ...before, error: outcome.error }))
      const fresh = rowsOf(outcome.output)
      setState((before) => ({
        rows: cursor === null ? fresh : [...(before.rows ?? []), ...fresh],
        cursor: outcome.output.cursor,
        error: null,
      }))
    },
    [ask, path],
  )
  useEffect(() => {
    void load(null)
    return () => void turn.current++
  }, [load])

  return {
    rows: state.rows,
    error: state.error,
    isLoading,
    hasMore: state.cursor !== null,
    more: () => void load(state.cursor),
    refresh: useCallback(() => void load(null), [load]),
  }
}
