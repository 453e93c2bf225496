/** Chance that a seed repeats (mulberry32). */
export const seeded = (seed: number) => {
  let state = seed >>> 0
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    /** A number in [0, 1). */
    random,
    /** A number in [from, to). */
    between: (from: number, to: number): number => from + random() * (to - from),
    /** A whole number in [0, below). */
    below: (limit: number): number => Math.floor(random() * limit),
    isLucky: (chance: number): boolean => random() < chance,
    pick: <T>(list: readonly [T, ...T[]]): T => list[Math.floor(random() * list.length)] ?? list[0],
  }
}
export type Seeded = ReturnType<typeof seeded>

/** The seed of this run of a test: SOAK_SEED, or chance. */
export const seedOf = (name: string): number => {
  const seed = Number(process.env['SOAK_SEED'] ?? Math.floor(Math.random() * 1_000_000))
  console.info(`${name}: SOAK_SEED=${seed}`)
  return seed
}
