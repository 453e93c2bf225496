import { expect } from 'vitest'
import { createWorld } from './world.ts'

/** Lives through the worlds of these seeds. To replay a failing one: `SIM_SEED=<seed> npx vitest run --project unit test/simulation`. */
export const liveThrough = async (first: number, count: number, isCalm = false): Promise<void> => {
  const states: Record<string, number> = {}
  for (let seed = first; seed < first + count; seed++) {
    const world = createWorld({ seed, isCalm })
    try {
      await world.run()
      for (const [state, many] of Object.entries(world.states)) states[state] = (states[state] ?? 0) + many
    } catch (error) {
      const tail = world.history.slice(-60).join('\n')
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}\n${tail}`, { cause: error })
    }
  }
  // The worlds are worth something only if every way to end was taken.
  if (count >= 50 && !isCalm)
    expect(Object.keys(states).sort()).toEqual(['cancelled', 'expired', 'failed', 'lost', 'succeeded', 'timed_out'])
}

/** The seeds of one test file: its own, or the one that is to be replayed. */
export const seedsOf = (first: number, count: number): { first: number; count: number } => {
  const replay = process.env['SIM_SEED']
  return replay === undefined ? { first, count } : { first: Number(replay), count: Number(process.env['SIM_SEEDS'] ?? 1) }
}
