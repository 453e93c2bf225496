import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWorkloadWorld, type WorkloadWorld } from '../harness/workload-world.ts'

let world: WorkloadWorld
beforeEach(() => {
  world = createWorkloadWorld()
})
afterEach(() => world.close())

const failed = { kind: 'exited', code: 3 } as const

/** A service that runs. */
const running = async (more: object = {}): Promise<void> => {
  await world.apply({ name: 'one', ...more })
  world.last().start()
  await world.pass()
}

describe('while the end of a run is being written', () => {
  test('stop() leaves a workload stopped, not stopping for ever', async () => {
    await running()
    world.disk.is = 'hold'
    world.last().end(failed)
    const stopped = world.requests().stop({ workload: 'one' })
    await world.pass()
    await world.letGo()
    expect(await stopped).toMatchObject({ ok: true, output: { state: 'stopped' } })
    await world.pass(600_000)
    expect(await world.show('one')).toMatchObject({ state: 'stopped', runs: [{ state: 'failed', exit_code: 3 }] })
    expect(world.begun).toHaveLength(1)
    await world.kill()
    expect(await world.show('one')).toMatchObject({ state: 'stopped' })
  })

  test('start() begins anew what has just completed or was stopped', async () => {
    await running({ run_mode: 'n_times', max_runs: 1 })
    world.disk.is = 'hold'
    world.last().end()
    void world.requests().start({ workload: 'one' })
    await world.pass()
    await world.letGo()
    await world.pass(1000)
    expect(world.begun).toHaveLength(2)
    world.last().start()
    void world.requests().stop({ workload: 'one' })
    await world.pass()
    world.disk.is = 'hold'
    world.last().end()
    void world.requests().start({ workload: 'one' })
    await world.pass()
    await world.letGo()
    await world.pass(1000)
    expect(world.begun).toHaveLength(3)
  })

  test('restart() does not leave one with a schedule stopping', async () => {
    await world.apply({ name: 'one', run_mode: 'schedule', schedule: '*/5 * * * *' })
    await world.pass(300_000)
    world.last().start()
    await world.pass()
    world.disk.is = 'hold'
    world.last().end(failed)
    void world.requests().restart({ workload: 'one' })
    await world.pass()
    await world.letGo()
    expect(await world.show('one')).toMatchObject({ state: 'registered', runs: [{ state: 'failed', exit_code: 3 }] })
  })
})

test('its runs agree with its state, also before the end of one is written', async () => {
  await world.apply({ name: 'one', run_mode: 'n_times', max_runs: 1 })
  world.last().start()
  await world.pass()
  world.last().end(failed)
  expect(await world.show('one')).toMatchObject({ state: 'failed', runs: [{ state: 'failed', exit_code: 3 }] })
})

test('a stop holds though the journal does not take the start that it ends', async () => {
  await running()
  world.last().end()
  await world.pass(4990)
  world.disk.is = 'hold'
  await world.pass(20)
  const stopped = world.requests().stop({ workload: 'one' })
  await world.pass()
  world.disk.is = 'fail'
  world.flush()
  await world.pass(300)
  world.disk.is = 'well'
  await world.pass(60_000)
  await stopped
  expect(await world.show('one')).toMatchObject({ state: 'stopped' })
  expect(world.begun).toHaveLength(1)
})

test('a full disk does not make a workload fail: it begins when there is room', async () => {
  world.trouble.is = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  await world.apply({ name: 'one' })
  await world.pass(600_000)
  expect(await world.show('one')).toMatchObject({ state: 'starting', run_count: 1, failures: 0 })
  world.trouble.is = null
  await world.pass(2000)
  world.last().start()
  expect(await world.show('one')).toMatchObject({ state: 'running' })
})
