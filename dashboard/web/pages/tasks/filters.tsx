import { useEffect, useState } from 'preact/hooks'
import { wordOf } from '../../format/states.ts'
import { taskStates } from '../../format/task-states.ts'
import { Button } from '../../parts/button.tsx'
import { Select } from '../../parts/select.tsx'
import type { QueryChange } from '../../shell/query.ts'
import { useWide } from '../../shell/wide.ts'
import { failedStates } from '../overview/links.ts'
import { ages, type FilterName, type Filters, filterNames, isFiltered } from './task-query.ts'

const types = ['build', 'deploy', 'test', 'scan', 'cleanup', 'notify', 'agent', 'command']
const priorities = ['critical', 'high', 'medium', 'low']
const ageWords: Readonly<Record<string, string>> = {
  '1h': 'Last hour',
  '24h': 'Last day',
  '7d': 'Last week',
  '30d': 'Last month',
}

interface FiltersProps {
  filters: Filters
  setQuery: (change: QueryChange, how?: { replace?: boolean }) => void
}

/** Which tasks are shown. */
export const TaskFilters = ({ filters, setQuery }: FiltersProps) => {
  const choice = (name: FilterName, label: string, any: string, values: readonly (readonly [string, string])[]) => {
    const value = filters[name]
    const options = [['', any], ...values, ...(values.some(([one]) => one === value) || value === '' ? [] : [[value, value]])]
    return (
      <Select
        label={label}
        value={value}
        options={options.map(([one = '', words = '']) => ({ value: one, label: words }))}
        onChange={(next) => setQuery({ [name]: next })}
      />
    )
  }
  const text = (name: FilterName, label: string) => (
    <TextFilter label={label} value={filters[name]} onChange={(next) => setQuery({ [name]: next }, { replace: true })} />
  )
  const isWide = useWide()
  const [isMore, setMore] = useState(false)
  const hasMore = isWide || isMore || filterNames.some((name) => name !== 'state' && name !== 'since' && filters[name] !== '')
  return (
    <div class="bar task-filters">
      {choice('state', 'State', 'All states', [
        ['queued,active', 'not ended'],
        [failedStates, 'not done'],
        ...taskStates.map((state) => [state, wordOf(state)] as const),
      ])}
      {choice(
        'since',
        'Since',
        'Any time',
        Object.keys(ages).map((age) => [age, ageWords[age] ?? age]),
      )}
      {hasMore ? (
        <>
          {choice(
            'type',
            'Type',
            'All types',
            types.map((type) => [type, type]),
          )}
          {choice(
            'priority',
            'Priority',
            'All priorities',
            priorities.map((priority) => [priority, priority]),
          )}
          {text('device', 'Device')}
          {text('tag', 'Tag')}
          {text('requested_by', 'Who')}
        </>
      ) : (
        <Button kind="quiet" icon="filter" onClick={() => setMore(true)}>
          More filters
        </Button>
      )}
      {isFiltered(filters) && (
        <Button kind="quiet" icon="cross" onClick={() => setQuery(Object.fromEntries(filterNames.map((name) => [name, null])))}>
          Clear
        </Button>
      )}
    </div>
  )
}

/** A word that is looked for when somebody has stopped typing. */
const TextFilter = ({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) => {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => onChange(text.trim()), 400)
    return () => clearTimeout(timer)
  }, [text, value])
  return (
    <label class="task-filter">
      <span class="unseen">{label}</span>
      <input
        value={text}
        placeholder={label}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </label>
  )
}
