/** Which items of a list are made (`first` to `end`), and which of them are in sight. */
export interface Sight {
  columns: number
  first: number
  end: number
  seenFirst: number
  seenEnd: number
}

interface Measures {
  count: number
  rowHeight: number
  /** Of one item, if several may stand beside each other. */
  minWidth?: number | undefined
  /** Where the list begins, from the top of the window. */
  top: number
  width: number
  windowHeight: number
}

/** How many rows are made above and below those in sight: the next ones for the arrow keys, and for a quick thumb. */
const around = 8

/** Finds what of a list can be seen. */
export const sightOf = ({ count, rowHeight, minWidth, top, width, windowHeight }: Measures): Sight => {
  const columns = minWidth === undefined ? 1 : Math.max(1, Math.floor(width / minWidth))
  const rows = Math.ceil(count / columns)
  const clamp = (row: number): number => Math.max(0, Math.min(rows, row))
  const seenFrom = clamp(Math.floor(-top / rowHeight))
  const seenTo = clamp(Math.ceil((windowHeight - top) / rowHeight))
  const item = (row: number): number => Math.min(count, row * columns)
  return {
    columns,
    first: item(clamp(seenFrom - around)),
    end: item(clamp(seenTo + around)),
    seenFirst: item(seenFrom),
    seenEnd: item(seenTo),
  }
}
