import type { Chunk } from './encoder.ts'
import type { Shelf } from './shelf.ts'

/** Records of a log, from and to. */
export type Range = readonly [from: number, to: number]

/** A part of a log that goes to the controller once more; with `isLast` no more of it comes before it is asked for again. */
export interface Returned {
  run: string
  chunk: Chunk
  isLast: boolean
}

interface Wanted {
  ranges: Range[]
  bytes: number
}

/**
 * What the controller once had of logs, has lost, and wants again. For each run the last word counts, and is answered with so many bytes at most;
 * what is not here any more is answered too, by a record that says so.
 */
export const createReturns = (shelf: Pick<Shelf, 'get' | 'lookUp'>, mostBytes: number) => {
  const wanted = new Map<string, Wanted>()

  const nextOf = (run: string, [from, to]: Range): Chunk => {
    const log = shelf.lookUp(run)
    const chunk = log && log.firstKept() <= from ? log.again(from - 1) : undefined
    if (chunk && chunk.first <= from) return chunk
    // Either the log begins later, or a power cut has made a hole in it.
    const next = chunk?.first ?? (log && log.firstKept() > from ? log.firstKept() : to + 1)
    return notKept(from, Math.min(to, next - 1))
  }

  return {
    want: (run: string, ranges: readonly Range[]): void => {
      // What has not been acknowledged yet is on its way in any case.
      const most = shelf.get(run)?.acked() ?? Number.POSITIVE_INFINITY
      const open = ranges.map(([from, to]): Range => [Math.max(1, from), Math.min(to, most)]).filter(([from, to]) => from <= to)
      if (open.length > 0) wanted.set(run, { ranges: open, bytes: 0 })
      else wanted.delete(run)
    },
    /** The next part of what is wanted; undefined when all is answered. */
    next: (): Returned | undefined => {
      for (const [run, one] of wanted) {
        const [range, ...later] = one.ranges
        if (!range) continue
        const chunk = nextOf(run, range)
        one.ranges = chunk.last < range[1] ? [[chunk.last + 1, range[1]], ...later] : later
        one.bytes += chunk.body.length
        const isLast = one.ranges.length === 0 || one.bytes >= mostBytes
        if (isLast) wanted.delete(run)
        return { run, chunk, isLast }
      }
      return undefined
    },
    clear: (): void => wanted.clear(),
  }
}

/** How many lines and bytes of output it was is not known any more: so many records. */
const notKept = (from: number, to: number): Chunk => {
  const dropped = { from, to, lines: to - from + 1, bytes: 0, reason: 'not_kept' }
  return { first: from, last: to, lines: 0, bytes: 0, body: JSON.stringify([[to, 0, 's', { dropped }]]) }
}
