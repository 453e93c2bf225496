import { textOfLine } from './ansi.ts'
import type { LogStore } from './log-store.ts'

export type Wanted = { ok: true; expression: RegExp } | { ok: false; reason: string }

/** What is searched for: words as they are, or a regular expression; upper and lower case are the same. */
export const wantedOf = (text: string, isExpression: boolean): Wanted => {
  try {
    return { ok: true, expression: new RegExp(isExpression ? text : text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi') }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Where a text has what is searched for, as pairs of from and to, up to a bound. */
export const placesIn = (text: string, expression: RegExp): readonly (readonly [from: number, to: number])[] => {
  const places: (readonly [number, number])[] = []
  for (const found of text.matchAll(expression)) {
    if (found[0] !== '') places.push([found.index, found.index + found[0].length])
    if (places.length === 500) break
  }
  return places
}

/** A search through a log, in slices. It finds lines, in their order, and goes on when there are more. */
export const createSearch = (store: LogStore, { source }: RegExp) => {
  // Without `g`, which would remember where the last line ended.
  const expression = new RegExp(source, 'i')
  let found: number[] = []
  /** Lines that went on when they were searched, of each stream one at most. */
  let open: number[] = []
  let next = 0

  const search = (index: number): void => {
    const line = store.line(index)
    const isHit = line !== undefined && !line.gap && expression.test(textOfLine(line.text))
    const at = place(found, index)
    const isFound = found[at] === index
    if (isHit && !isFound) found.splice(at, 0, index)
    if (!isHit && isFound) found.splice(at, 1)
    if (store.goesOn(index)) open.push(index)
  }

  return {
    /** Searches for so long; false when there is nothing left to search, until the log goes on. `now` tells milliseconds. */
    step: (forMs: number, now: () => number): boolean => {
      const until = now() + forMs
      const again = open
      open = []
      for (const index of again) search(index)
      next = Math.max(next, store.first())
      const end = store.end()
      while (next < end) {
        for (const stop = Math.min(end, next + 256); next < stop; next++) search(next)
        if (now() >= until) return next < end
      }
      return false
    },
    /** How many lines of those that are still kept have it. */
    count: (): number => {
      const first = store.first()
      if ((found[0] ?? first) < first) found = found.slice(place(found, first))
      return found.length
    },
    /** Up to where was searched. */
    searched: () => next,
    /** The line found next after one, or before it; from the other end where there is none. */
    after: (index: number): number | undefined => found[place(found, index + 1)] ?? found[0],
    before: (index: number): number | undefined => found[place(found, index) - 1] ?? found.at(-1),
    /** Which of those found a line is, from 1 on. */
    rank: (index: number): number => {
      const at = place(found, index)
      return found[at] === index ? at + 1 : 0
    },
  }
}
export type Search = ReturnType<typeof createSearch>

/** How many of these are less. */
const place = (sorted: readonly number[], than: number): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] ?? 0) < than) low = middle + 1
    else high = middle
  }
  return low
}
