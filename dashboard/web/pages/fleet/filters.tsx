import { useEffect, useState } from 'preact/hooks'
import { countText } from '../../format/amounts.ts'
import { Button } from '../../parts/button.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Search } from '../../parts/search.tsx'
import { Segments } from '../../parts/segments.tsx'
import { Select } from '../../parts/select.tsx'
import { type Direction, type Sort, type StateFilter, sorts, stateFilters } from './choose.ts'

/** What the address of the page says about which devices are shown, and how. */
export interface FleetQuery {
  search: string
  selector: string
  state: StateFilter
  sort: Sort
  direction: Direction
}

/** Reads it; what it does not know is as if it were not there. */
export const readFleetQuery = (query: Readonly<Record<string, string>>): FleetQuery => ({
  search: query['q'] ?? '',
  selector: query['selector'] ?? '',
  state: stateFilters.find((one) => one === query['state']) ?? 'all',
  sort: sorts.find((one) => one === query['sort']) ?? 'name',
  direction: query['dir'] === 'down' ? 'down' : 'up',
})

const sortNames: Record<Sort, string> = {
  name: 'Name',
  state: 'State',
  cpu: 'CPU',
  memory: 'Memory',
  disk: 'Disk',
  running: 'Runs',
  seen: 'Last seen',
}

const stateNames: Record<StateFilter, string> = {
  all: 'All',
  online: 'Online',
  stale: 'Stale',
  offline: 'Offline',
  drained: 'Drained',
}

interface FiltersProps {
  shown: FleetQuery
  counts: Readonly<Record<StateFilter, number>>
  fault: string | undefined
  layout: 'table' | 'grid'
  onLayout: (layout: 'table' | 'grid') => void
  setQuery: (change: Record<string, string | null>, how?: { replace?: boolean }) => void
}

/** Search, selector, state, order, and how it is laid out. */
export const Filters = ({ shown, counts, fault, layout, onLayout, setQuery }: FiltersProps) => (
  <div class="stack">
    <div class="bar fleet-filters">
      <Search
        label="Search by name or label"
        value={shown.search}
        onInput={(value) => setQuery({ q: value }, { replace: true })}
      />
      <SelectorField value={shown.selector} fault={fault} onChange={(selector) => setQuery({ selector }, { replace: true })} />
      <span class="bar fleet-order">
        <Select
          label="Order by"
          value={shown.sort}
          options={sorts.map((value) => ({ value, label: sortNames[value] }))}
          onChange={(sort) => setQuery({ sort: sort === 'name' ? null : sort })}
        />
        <Button
          bare
          icon={shown.direction === 'up' ? 'up' : 'down'}
          onClick={() => setQuery({ dir: shown.direction === 'up' ? 'down' : null })}
          title={shown.direction === 'up' ? 'Lowest first' : 'Highest first'}
        >
          {shown.direction === 'up' ? 'Lowest first; turn round' : 'Highest first; turn round'}
        </Button>
        <span class="fleet-layout">
          <Segments
            label="Layout"
            value={layout}
            options={[
              { value: 'table', label: 'Table', icon: 'table' },
              { value: 'grid', label: 'Cards', icon: 'grid' },
            ]}
            onChange={onLayout}
          />
        </span>
      </span>
    </div>
    <Segments
      label="State"
      value={shown.state}
      options={stateFilters.map((value) => ({ value, label: `${stateNames[value]} ${countText(counts[value])}` }))}
      onChange={(state) => setQuery({ state: state === 'all' ? null : state })}
    />
  </div>
)

interface SelectorFieldProps {
  value: string
  fault: string | undefined
  onChange: (selector: string) => void
}

const SelectorField = ({ value, fault, onChange }: SelectorFieldProps) => {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  return (
    <div class={fault === undefined ? 'selector' : 'selector field-wrong'}>
      <label>
        <span class="unseen">Selector</span>
        <Icon name="filter" size={16} />
        <input
          class="mono"
          value={text}
          placeholder="role=builder,region in (eu,us)"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          aria-invalid={fault === undefined ? undefined : true}
          aria-describedby={fault === undefined ? undefined : 'selector-fault'}
          onInput={(event) => {
            setText(event.currentTarget.value)
            onChange(event.currentTarget.value)
          }}
        />
      </label>
      {fault !== undefined && (
        <p class="field-error" id="selector-fault" role="alert">
          {fault}
        </p>
      )}
    </div>
  )
}
