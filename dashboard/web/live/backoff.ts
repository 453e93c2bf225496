const firstMs = 500
const mostMs = 10_000

/** How long to wait before the n-th attempt (0, 1, …): up to half a second, doubling to ten, spread over all of it. */
export const waitBefore = (attempt: number, random: number): number =>
  random * Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 10))
