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

const failing = { kind: 'exited', code: 1 } as const
const delayed = { name: 'one', restart: { delay_seconds: 60, max_delay_seconds: 60, jitter: 0, crash_loop: false } }
const day = 86_400_000

test.each([-day, day])(
  'a service that waits for its restart keeps its delay when the clock is set by %i ms and the daemon dies',
  async (ms) => {
    await world.apply(delayed)
    world.last().start()
    await world.pass(1000)
    world.last().end(failing)
    await world.pass(20_000)
    await world.kill({ wallOffsetMs: ms })
    await world.pass(39_000)
    expect(world.begun).toHaveLength(1)
    await world.pass(1000)
    expect(world.begun).toHaveLength(2)
  },
)

test.each([
  ['as long after its start as the clock says', 0, 30_000],
  ['when it is heard of, if by the clock that would be later than now', day, 60_000],
  ['when it is heard of, if by the clock that would be before its start', -day, 60_000],
])('a service that ended while no daemon was there ended %s', async (_, setBy, waitsMs) => {
  await world.apply(delayed)
  world.last().start()
  await world.pass(10_000)
  await world.kill()
  await world.pass(30_000)
  // It has ended 30 s ago, by a clock that may have been another then.
  world.last().end({ ...failing, endedAt: world.clock().now() + setBy - 30_000 })
  await world.pass(waitsMs - 1000)
  expect(world.begun).toHaveLength(1)
  await world.pass(1000)
  expect(world.begun).toHaveLength(2)
})

test('after a reboot the delay goes by the wall clock, and is never longer than the longest', async () => {
  await world.apply(delayed)
  world.last().start()
  await world.pass(1000)
  world.last().end(failing)
  await world.pass(1000)
  await world.kill({ reboots: true, wallOffsetMs: 40_000 })
  await world.pass(18_000)
  expect(world.begun).toHaveLength(1)
  await world.pass(1000)
  expect(world.begun).toHaveLength(2)
})
