import { countText, plural } from '../format/amounts.ts'
import { Button } from '../parts/button.tsx'
import { Search } from '../parts/search.tsx'
import type { LogSearch } from './use-search.ts'

interface LogFindProps {
  find: LogSearch
  current: number | null
  onNext: () => void
  onPrevious: () => void
}

/** The search of a log: what was found, and the way from one to the next. */
export const LogFind = ({ find, current, onNext, onPrevious }: LogFindProps) => {
  const { search, isSearching, reason } = find
  const count = search?.count() ?? 0
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Enter in the field goes on to the next one
    <div
      class="log-find"
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || !(event.target instanceof HTMLInputElement)) return
        event.preventDefault()
        if (event.shiftKey) onPrevious()
        else onNext()
      }}
    >
      <Search label="Search the log" value={find.text} onInput={find.setText} />
      <Button small pressed={find.isExpression} onClick={() => find.setExpression(!find.isExpression)} label="Regular expression">
        .*
      </Button>
      {search && (
        <>
          <Button small bare icon="up" onClick={onPrevious} disabled={count === 0} title="The one before (Shift+Enter)">
            The one before
          </Button>
          <Button small bare icon="down" onClick={onNext} disabled={count === 0} title="The next one (Enter)">
            The next one
          </Button>
        </>
      )}
      <span class="log-found" role="status">
        {reason !== null ? (
          <span class="field-error">{reason}</span>
        ) : (
          search && wordsOf(count, current === null ? 0 : search.rank(current), isSearching)
        )}
      </span>
    </div>
  )
}

const wordsOf = (count: number, rank: number, isSearching: boolean): string => {
  if (isSearching) return `${countText(count)} so far…`
  if (count === 0) return 'Not found'
  return rank > 0 ? `${countText(rank)} of ${plural(count, 'line')}` : plural(count, 'line')
}
