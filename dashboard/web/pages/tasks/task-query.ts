import { withQuery } from '../../api/ask.ts'
import type { Query } from '../../shell/query.ts'

/** What the address of the page may say about which tasks are shown. */
export const filterNames = ['state', 'type', 'priority', 'device', 'tag', 'requested_by', 'since'] as const
export type FilterName = (typeof filterNames)[number]
export type Filters = Readonly<Record<FilterName, string>>

export const readFilters = (query: Query): Filters => {
  const of = (name: FilterName): string => query[name] ?? ''
  return {
    ...{ state: of('state'), type: of('type'), priority: of('priority'), device: of('device') },
    ...{ tag: of('tag'), requested_by: of('requested_by'), since: of('since') },
  }
}

export const isFiltered = (filters: Filters): boolean => filterNames.some((name) => filters[name] !== '')

/** How long ago tasks may have been submitted. In an address an instant may stand in its place. */
export const ages: Readonly<Record<string, number>> = { '1h': 3600, '24h': 86_400, '7d': 7 * 86_400, '30d': 30 * 86_400 }

export const pageSize = 50

/** The question for a page of tasks. */
export const pathOf = (filters: Filters, now: number, cursor?: string): string => {
  const age = Object.hasOwn(ages, filters.since) ? ages[filters.since] : undefined
  const since = age === undefined ? filters.since : new Date(now - age * 1000).toISOString()
  return withQuery('/tasks', { ...filters, since, limit: pageSize, cursor })
}
