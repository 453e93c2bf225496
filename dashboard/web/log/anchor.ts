/** Where one looks at: this line has its upper edge so many pixels below that of the viewport (above, if negative). */
export interface Anchor {
  line: number
  y: number
}

/** The lines that there are: from the first one that is kept to one past the last. */
export interface Extent {
  first: number
  end: number
}

/** The height of a line that is not wrapped, in pixels. */
export const rowHeight = 20

/** Browsers make no element higher than some 17 million pixels, so what stands for all lines is scaled down from here on. */
const mostSpace = 8_000_000

/** The height of what is scrolled, for lines that are so high together: all of that, as far as browsers can. */
export const spaceOf = (total: number): number => Math.min(mostSpace, total)

/** Where the scrollbar is for an anchor. Away from the beginning of the log it is away from its own, so that one can scroll on. */
export const scrollTopOf = ({ line, y }: Anchor, extent: Extent, total: number, viewHeight: number): number => {
  if (extent.end === extent.first || (line <= extent.first && y >= 0)) return 0
  const most = Math.max(0, spaceOf(total) - viewHeight)
  const top = ((line - extent.first) * averageOf(extent, total) - y) * scaleOf(total, viewHeight)
  return Math.max(Math.min(1, most), Math.min(most, top))
}

/** What is in sight where somebody has pulled the scrollbar to. */
export const anchorAt = (scrollTop: number, extent: Extent, total: number, viewHeight: number): Anchor => {
  const top = scrollTop / scaleOf(total, viewHeight)
  const average = averageOf(extent, total)
  const line = Math.min(Math.max(extent.first, extent.end - 1), extent.first + Math.floor(top / average))
  return { line, y: (line - extent.first) * average - top }
}

const averageOf = ({ first, end }: Extent, total: number): number => total / Math.max(1, end - first)

const scaleOf = (total: number, viewHeight: number): number => {
  const [real, space] = [total - viewHeight, spaceOf(total) - viewHeight]
  return real <= 0 || space <= 0 ? 1 : space / real
}

/** Which rows are made, one more than fit at each end, for an anchor or for the end of the log. Heights are estimates: nothing is wrapped more than that. */
export const rowsAround = (
  anchor: Anchor | 'end',
  { first, end }: Extent,
  viewHeight: number,
  heightOf: (line: number) => number,
  more = 0,
): Extent => {
  const spare = rowHeight * (2 + more)
  const line = anchor === 'end' ? end : Math.max(first, Math.min(end - 1, anchor.line))
  const y = anchor === 'end' ? viewHeight : anchor.y
  let from = line
  for (let top = y; from > first && top > -spare; ) top -= heightOf(--from)
  let to = line
  for (let bottom = y; to < end && bottom < viewHeight + spare; ) bottom += heightOf(to++)
  return { first: from, end: to }
}

/** How many pixels high a text is that is wrapped after so many characters, roughly. */
export const heightOfText = (length: number, columns: number): number => rowHeight * Math.max(1, Math.ceil(length / columns))

/** How high all lines are together, roughly if they are wrapped: of many of them only the number of characters is looked at. */
export const heightOfAll = (
  { first, end }: Extent,
  chars: number,
  columns: number,
  heightOf: (line: number) => number,
): number => {
  if (end - first > 1000) return rowHeight * (end - first + Math.floor(chars / columns))
  let total = 0
  for (let line = first; line < end; line++) total += heightOf(line)
  return total
}
