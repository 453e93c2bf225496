import { expect, test } from 'vitest'
import { createWorld } from './world.ts'

const first = Number(process.env['SIM_SEED'] ?? 1)
const count = Number(process.env['SIM_SEEDS'] ?? 300)

/** To replay a failing seed: SIM_SEED=<seed> SIM_SEEDS=1. */
test(`the promises hold in ${count} simulated fleets from seed ${first} on`, { timeout: 600_000 }, async () => {
  const states: Record<string, number> = {}
  for (let seed = first; seed < first + count; seed++) {
    const world = createWorld({ seed })
    try {
      await world.run()
      for (const [state, many] of Object.entries(world.states)) states[state] = (states[state] ?? 0) + many
    } catch (error) {
      const tail = world.history.slice(-60).join('\n')
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}\n${tail}`, { cause: error })
    }
  }
  // The worlds are worth something only if every way to end was taken.
  if (count >= 100)
    expect(Object.keys(states).sort()).toEqual(['cancelled', 'expired', 'failed', 'lost', 'succeeded', 'timed_out'])
  if (process.env['SIM_SEEDS']) console.log(states)
})
