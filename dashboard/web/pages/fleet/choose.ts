import type { FleetRow } from '../../../../schemas/dashboard.ts'

/** Which devices are shown: of one state, or those that are drained. */
export const stateFilters = ['all', 'online', 'stale', 'offline', 'drained'] as const
export type StateFilter = (typeof stateFilters)[number]

export const sorts = ['name', 'state', 'cpu', 'memory', 'disk', 'running', 'seen'] as const
export type Sort = (typeof sorts)[number]
export type Direction = 'up' | 'down'

/** What each state filter would show. */
export const countStates = (rows: Iterable<FleetRow>): Record<StateFilter, number> => {
  const counts = { all: 0, online: 0, stale: 0, offline: 0, drained: 0 }
  for (const row of rows) {
    counts.all++
    counts[row.state]++
    if (row.drained) counts.drained++
  }
  return counts
}

/** The words of a search, each of which a name or a label has to contain. */
export const wordsOf = (search: string): string[] => search.toLowerCase().split(/\s+/).filter(Boolean)

/** Labels stay the same objects from beat to beat, so that what is searched in them is put together once. */
const texts = new WeakMap<object, string>()

/** Whether a device has every word in its name or in a label, as `key=value`. */
export const hasWords = (row: FleetRow, words: readonly string[]): boolean => {
  if (words.length === 0) return true
  let text = texts.get(row.labels)
  if (text === undefined) {
    const labels = Object.entries(row.labels).map(([key, value]) => `${key}=${value}`)
    text = [row.device, ...labels].join('\n').toLowerCase()
    texts.set(row.labels, text)
  }
  return words.every((word) => text.includes(word))
}

export interface Choice {
  search: string
  state: StateFilter
  /** The numbers of those that meet the selector; null without one. */
  matching: ReadonlySet<number> | null
}

/** The devices that all filters let through. */
export const chooseDevices = (rows: Iterable<FleetRow>, { search, state, matching }: Choice): FleetRow[] => {
  const words = wordsOf(search)
  const chosen: FleetRow[] = []
  for (const row of rows) {
    const isOfState = state === 'all' || (state === 'drained' ? row.drained : row.state === state)
    if (isOfState && (matching === null || matching.has(row.n)) && hasWords(row, words)) chosen.push(row)
  }
  return chosen
}

const stateRank = { offline: 0, stale: 1, online: 2 }
const figures: Readonly<Record<Exclude<Sort, 'name'>, (row: FleetRow) => number | null>> = {
  state: (row) => stateRank[row.state],
  cpu: (row) => row.cpu,
  memory: (row) => row.memory,
  disk: (row) => row.disk,
  running: (row) => row.running,
  seen: (row) => row.last_seen_at,
}

/** Devices in an order; where a figure is not known the device comes last, either way. Those that are equal go by name. */
export const sortDevices = (rows: readonly FleetRow[], sort: Sort, direction: Direction): FleetRow[] => {
  const turn = direction === 'up' ? 1 : -1
  if (sort === 'name') return [...rows].sort((a, b) => turn * byName(a, b))
  const figure = figures[sort]
  return [...rows].sort((a, b) => {
    const [of, to] = [figure(a), figure(b)]
    if (of === null || to === null) return Number(of === null) - Number(to === null) || byName(a, b)
    return turn * (of - to) || byName(a, b)
  })
}

/** Numbers within names count as numbers: `pi-2` comes before `pi-10`. */
const { compare } = new Intl.Collator('en', { numeric: true })
const byName = (a: FleetRow, b: FleetRow): number => (a.device === b.device ? 0 : compare(a.device, b.device))

/** The same devices in an order that was found before; those that are new to it come last. */
export const inOrder = (rows: readonly FleetRow[], order: readonly number[]): FleetRow[] => {
  const left = new Map(rows.map((row) => [row.n, row]))
  const ordered: FleetRow[] = []
  for (const n of order) {
    const row = left.get(n)
    if (!row) continue
    ordered.push(row)
    left.delete(n)
  }
  return [...ordered, ...left.values()]
}
