import { expect, test } from 'vitest'
import { createRolloutWorld } from './rollout-world.ts'
import { seedsOf } from './seeds.ts'

const { first, count } = seedsOf(1, 100)

test(`a rollout keeps its promises in ${count} simulated fleets from seed ${first} on`, { timeout: 600_000 }, () => {
  const ends: Record<string, number> = {}
  const devices: Record<string, number> = {}
  for (let seed = first; seed < first + count; seed++) {
    const world = createRolloutWorld(seed)
    try {
      const rollout = world.run()
      ends[rollout.state] = (ends[rollout.state] ?? 0) + 1
      for (const { state } of rollout.devices) devices[state] = (devices[state] ?? 0) + 1
    } catch (error) {
      const tail = world.history.slice(-60).join('\n')
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}\n${tail}`, { cause: error })
    }
  }
  // The worlds are worth something only if every way to end was taken.
  if (count < 100) return
  expect(Object.keys(ends).sort()).toEqual(['cancelled', 'completed', 'failed', 'rolled_back'])
  expect(Object.keys(devices).sort()).toEqual(['deferred', 'failed', 'healthy', 'rolled_back', 'skipped', 'superseded'])
})
