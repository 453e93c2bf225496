import { useCallback, useRef } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { changedQuery } from './changed-query.ts'

export type Query = Readonly<Record<string, string>>
export type QueryChange = Readonly<Record<string, string | null | undefined>>

/**
 * What a page shows is in its address: filters, order, tab. A change is a step that "back" undoes, unless it `replace`s the address,
 * as typing does.
 */
export const useQuery = (): {
  query: Query
  setQuery: (change: QueryChange, how?: { replace?: boolean }) => void
  hrefWith: (change: QueryChange) => string
} => {
  const { path, query, route } = useLocation()
  const latest = useRef({ path, query, route })
  latest.current = { path, query, route }
  const setQuery = useCallback((change: QueryChange, { replace = false }: { replace?: boolean } = {}) => {
    const now = latest.current
    now.route(changedQuery(now.path, now.query, change), replace)
  }, [])
  return { query, setQuery, hrefWith: (change) => changedQuery(path, query, change) }
}
