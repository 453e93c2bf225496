import { afterEach, beforeEach, expect, test } from 'vitest'
import { createWorkloadWorld, type WorkloadWorld } from '../harness/workload-world.ts'

let world: WorkloadWorld
beforeEach(() => {
  world = createWorkloadWorld()
})
afterEach(() => world.close())

test('missed: all makes up for all of them, one after the other', async () => {
  await world.apply({ name: 'one', run_mode: 'schedule', schedule: '*/10 * * * *', missed: 'all', missed_within_seconds: 7200 })
  await world.kill()
  const before = world.begun.length
  world.workloads().release()
  await world.pass(3_600_000)
  await world.kill()
  for (let i = 0; i < 10; i++) {
    if (world.begun.length === before + i + 1) {
      world.last().start()
      world.last().end()
    }
    await world.pass(1000)
  }
  expect(world.begun.length - before).toBe(6)
})

test('an agent with a schedule is asked at each of its firings, with what was said of it', async () => {
  await world.apply({
    name: 'one',
    type: 'agent',
    run_mode: 'schedule',
    schedule: '* * * * *',
    prompt: 'hello',
    model: 'gpt-4o',
    command: undefined,
  })
  await world.pass(61_000)
  expect(world.last().order.payload).toMatchObject({ prompt: 'hello', model: 'gpt-4o' })
})

test('a firing waits for what its workload depends on', async () => {
  const db = { name: 'db', health: { tcp: '127.0.0.1:1', interval_seconds: 1000, start_period_seconds: 1000 } }
  await world.apply(db, {
    name: 'one',
    run_mode: 'schedule',
    schedule: '*/10 * * * *',
    depends_on: [{ name: 'db', condition: 'started' }],
  })
  void world.requests().stop({ workload: 'db' })
  await world.pass(10)
  world.last().end()
  await world.pass(1_300_000)
  expect(world.begun.map(({ order }) => order.env['SKEIN_WORKLOAD'])).toEqual(['db'])
  expect(await world.show('one')).toMatchObject({ state: 'registered', reason: 'waits for "db" to start: it is stopped' })
  void world.requests().start({ workload: 'db' })
  await world.pass(10)
  world.last().start()
  await world.pass(10)
  expect(world.begun.map(({ order }) => order.env['SKEIN_WORKLOAD'])).toEqual(['db', 'db', 'one'])
  expect(await world.show('one')).toMatchObject({ reason: null })
})

test.each([
  ['missed ones', { missed: 'all', missed_within_seconds: 7200 }, 3_600_000],
  ['those in time', { overlap: 'queue', schedule: '*/10 * * * * *' }, 45_000],
])('of several firings that are due at once none is lost when the daemon dies behind the first: %s', async (_, more, downMs) => {
  await world.apply({ name: 'one', run_mode: 'schedule', schedule: '*/10 * * * *', ...more })
  const slots = () => world.begun.map(({ order }) => order.env['SKEIN_SLOT'])
  world.workloads().release()
  await world.pass(downMs)
  await world.kill()
  expect(slots()).toHaveLength(1)
  world.last().start()
  await world.pass(10)
  await world.kill()
  for (let i = 0; i < 10; i++) {
    if (world.begun.length !== i + 1) break
    if (i > 0) world.last().start()
    world.last().end()
    await world.pass(10)
  }
  const times = slots().map((slot) => Date.parse(slot ?? ''))
  const stepMs = downMs === 45_000 ? 10_000 : 600_000
  expect(times.length).toBe(Math.floor(downMs / stepMs))
  expect(times.slice(1).map((at, i) => at - (times[i] ?? 0))).toEqual(times.slice(1).map(() => stepMs))
})
