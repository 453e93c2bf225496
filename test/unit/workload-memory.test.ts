import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorkloadWorld, type WorkloadWorld } from '../harness/workload-world.ts'

let world: WorkloadWorld
beforeEach(() => {
  world = createWorkloadWorld()
})
afterEach(() => world.close())

const uses = async (memoryMb: number): Promise<void> => {
  world.last().memoryMb = memoryMb
  await world.pass(1100)
}

test('a workload is warned of at 90 % of its memory, and no more when it is well below', async () => {
  await world.apply({ name: 'one', memory_limit_mb: 100 })
  world.last().start()
  await uses(89)
  expect(await world.show('one')).toMatchObject({ state: 'running', reason: null })
  await uses(90)
  expect(await world.show('one')).toMatchObject({ state: 'running', reason: 'memory: 90 of 100 MB' })
  await uses(85)
  expect(await world.show('one')).toMatchObject({ reason: 'memory: 90 of 100 MB' })
  await uses(79)
  expect(await world.show('one')).toMatchObject({ reason: null })
  await uses(100)
  expect(world.last().stops).toBe(0)
})

test('a workload over its limit is stopped by the watch of the daemon, and starts again, oom its reason', async () => {
  await world.apply({ name: 'one', memory_limit_mb: 100, restart: { delay_seconds: 1, jitter: 0 } })
  world.last().start()
  await uses(101)
  expect(world.last().stops).toBe(1)
  world.last().end({ kind: 'exited', code: 143 })
  await world.pass(10_000)
  expect(world.begun).toHaveLength(2)
  world.last().start()
  await world.pass()
  expect(await world.show('one')).toMatchObject({
    state: 'running',
    reason: null,
    runs: [{ state: 'running' }, { state: 'failed', reason: 'oom: it used 101 of 100 MB' }],
  })
})
