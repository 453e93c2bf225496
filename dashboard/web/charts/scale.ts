export type Series = readonly (number | null)[]

/** The step that is under way, and the one before, may not be known yet. */
const lateSteps = 3

/** Least and most of the numbers that are known, and the last one if it is not long ago; null if none is known. */
export const summaryOf = (series: Series): { min: number; max: number; last: number | null } | null => {
  const known = series.filter((value) => value !== null)
  if (known.length === 0) return null
  return {
    min: Math.min(...known),
    max: Math.max(...known),
    last: series.slice(-lateSteps).findLast((value) => value !== null) ?? null,
  }
}

/** What a chart says to those who do not see it. */
export const describeSeries = (label: string, series: Series, unit: string): string => {
  const summary = summaryOf(series)
  if (!summary) return `${label}: nothing is known`
  const { min, max, last } = summary
  const now = last === null ? 'not known now' : `now ${tidy(last)}${unit}`
  return `${label}: ${now}, lowest ${tidy(min)}${unit}, highest ${tidy(max)}${unit}`
}

/** A number with no more than one place. */
export const tidy = (value: number): string => String(Math.round(value * 10) / 10)

/** A round number that is not below `value`. */
export const niceCeiling = (value: number): number => {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return (([1, 2, 3, 4, 5, 6, 8, 10] as const).find((step) => step * power >= value) ?? 10) * power
}

/** The path of a line through the numbers, in a field of `width` by `height`; it is broken where nothing is known. */
export const linePath = (series: Series, { width, height, top }: { width: number; height: number; top: number }): string => {
  const step = series.length > 1 ? width / (series.length - 1) : 0
  let path = ''
  let isDown = false
  series.forEach((value, index) => {
    if (value === null) {
      isDown = false
      return
    }
    const x = round(index * step)
    const y = round(height - (Math.min(value, top) / top) * height)
    // A number between two gaps is a dot, which a line of no length with a round end is.
    const isAlone = !isDown && (series[index + 1] ?? null) === null
    path += `${isDown ? 'L' : 'M'}${x} ${y}${isAlone ? 'h0' : ''}`
    isDown = true
  })
  return path
}

/** The same line with what is below it: one closed shape for each piece. */
export const areaPath = (series: Series, field: { width: number; height: number; top: number }): string =>
  linePath(series, field)
    .split('M')
    .filter((piece) => piece.includes('L'))
    .map((piece) => {
      const [first = '0'] = piece.split(' ')
      const last = piece.slice(piece.lastIndexOf('L') + 1).split(' ')[0]
      return `M${piece}L${last} ${field.height}L${first} ${field.height}Z`
    })
    .join('')

const round = (value: number): number => Math.round(value * 10) / 10
