import { useEffect, useMemo, useState } from 'preact/hooks'
import { createSearch, type Search, type Wanted, wantedOf } from './log-search.ts'
import type { FollowedLog } from './use-log.ts'

export interface LogSearch {
  text: string
  setText: (text: string) => void
  isExpression: boolean
  setExpression: (isExpression: boolean) => void
  /** What is wrong with the expression. */
  reason: string | null
  wanted: RegExp | null
  search: Search | null
  isSearching: boolean
}

/** So long the page may be held up at a time. */
const sliceMs = 8

/** Searches a log while it is looked at, in slices, and goes on when there are more lines. */
export const useSearch = ({ store, version }: FollowedLog): LogSearch => {
  const [text, setText] = useState('')
  const [isExpression, setExpression] = useState(false)
  const [isSearching, setSearching] = useState(false)
  const [, setTurn] = useState(0)
  const found: Wanted | null = useMemo(() => (text === '' ? null : wantedOf(text, isExpression)), [text, isExpression])
  const wanted = found?.ok ? found.expression : null
  const turns = store.turns()
  const search = useMemo(() => (wanted ? createSearch(store, wanted) : null), [store, wanted, turns])

  useEffect(() => {
    if (!search) return setSearching(false)
    let timer: ReturnType<typeof setTimeout> | undefined
    const slice = (): void => {
      const hasMore = search.step(sliceMs, () => performance.now())
      setSearching(hasMore)
      setTurn((turn) => turn + 1)
      if (hasMore) timer = setTimeout(slice)
    }
    timer = setTimeout(slice)
    return () => clearTimeout(timer)
  }, [search, version])
  return {
    text,
    setText,
    isExpression,
    setExpression,
    reason: found && !found.ok ? found.reason : null,
    wanted,
    search,
    isSearching,
  }
}
