import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorkloadWorld, type WorkloadWorld } from '../harness/workload-world.ts'

let world: WorkloadWorld
beforeEach(() => {
  world = createWorkloadWorld()
})
afterEach(() => world.close())

test('health by log: a service that is taken over is not told silent for what the new daemon has not seen', async () => {
  const health = { log: { within_seconds: 100 }, interval_seconds: 10, unhealthy_after: 1 }
  await world.apply({ name: 'one', health })
  world.last().start()
  for (let i = 0; i < 20; i++) {
    world.last().write('tick\n')
    await world.pass(50_000)
  }
  expect(await world.show('one')).toMatchObject({ health: 'healthy' })
  await world.kill()
  await world.pass(90_000)
  expect(world.last().stops).toBe(0)
  await world.pass(30_000)
  expect(world.last().stops, 'silent since').toBeGreaterThan(0)
})
