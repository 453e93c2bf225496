import { test } from 'vitest'
import { liveThrough } from '../simulation/seeds.ts'

const minutes = Number(process.env['SOAK_MINUTES'] ?? 10)
const first = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000_000)

/** As many fleets as there is time for, each with seeds that nobody has seen before. */
test(`the promises hold in every simulated fleet of ${minutes} minutes`, { timeout: (minutes + 5) * 60_000 }, async () => {
  const until = Date.now() + minutes * 60_000
  let seed = first
  while (Date.now() < until) {
    await liveThrough(seed, 20)
    seed += 20
  }
  console.log(`${seed - first} simulated fleets, seeds ${first} to ${seed - 1}`)
})
