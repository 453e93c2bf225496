import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWorkloadWorld, type WorkloadWorld } from '../harness/workload-world.ts'

let world: WorkloadWorld
beforeEach(() => {
  world = createWorkloadWorld()
})
afterEach(() => world.close())

/** A service that runs. */
const running = async (more: object = {}): Promise<void> => {
  await world.apply({ name: 'one', ...more })
  world.last().start()
  await world.pass()
}

describe('counts', () => {
  test('a run of n_times that a shutdown has ended is not one of the n', async () => {
    await running({ run_mode: 'n_times', max_runs: 2, restart: { delay_seconds: 1 } })
    void world.workloads().shutdown()
    await world.pass(10)
    world.last().end({ kind: 'exited', code: 143 })
    await world.pass(100)
    await world.kill()
    for (let i = 0; i < 2; i++) {
      await world.pass(2000)
      world.last().start()
      world.last().end()
      await world.pass(10)
    }
    expect(await world.show('one')).toMatchObject({ state: 'completed', reason: null, run_count: 2 })
    expect(world.begun).toHaveLength(3)
  })

  test('a run of n_times that succeeds during a shutdown is one of them', async () => {
    await running({ run_mode: 'n_times', max_runs: 1 })
    await world.apply(
      { name: 'one', run_mode: 'n_times', max_runs: 1 },
      { name: 'two', depends_on: [{ name: 'one', condition: 'started' }] },
    )
    world.last().start()
    await world.pass(10)
    void world.workloads().shutdown()
    // Those that depend on it end first, and it has ended by itself before it was told to.
    world.begun.at(-2)?.end()
    world.begun.at(-1)?.end()
    await world.pass(100)
    await world.kill()
    expect(await world.show('one')).toMatchObject({ state: 'completed', run_count: 1 })
  })
})
