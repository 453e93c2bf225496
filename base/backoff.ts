/** Full jitter: anywhere between 0 and a ceiling that doubles from `first` to `most`. Milliseconds. */
export const fullJitterMs = (attempt: number, random: number, first: number, most: number): number =>
  Math.round(random * Math.min(most, first * 2 ** Math.min(attempt, 30)))

/** Doubling with a cap, no chance in it. Milliseconds. */
export const doublingMs = (attempt: number, first: number, most: number): number =>
  Math.min(most, first * 2 ** Math.min(attempt, 30))
