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

test('a changed workload is known as changed to the next daemon, however soon the one before dies', async () => {
  await running()
  world.disk.is = 'hold'
  void world.apply({ name: 'one', command: ['false'] })
  await world.pass(10)
  await world.letGo()
  await world.kill()
  expect(world.begun).toHaveLength(1)
  world.last().end()
  await world.pass(10)
  expect(await world.show('one')).toMatchObject({ spec: { command: ['false'] }, runs: [{}, { reason: 'its spec has changed' }] })
})

describe('a workload that is deleted', () => {
  test('may be applied again while its last run ends: one at a time, and it stays', async () => {
    await running()
    void world.requests().delete({ workload: 'one' })
    await world.pass(10)
    await world.apply({ name: 'one', command: ['false'] })
    await world.pass(100)
    expect(world.begun, 'the one before has not ended').toHaveLength(1)
    world.begun[0]?.end()
    await world.pass(100)
    expect(world.begun).toHaveLength(2)
    world.last().start()
    await world.pass()
    expect(await world.show('one')).toMatchObject({ state: 'running' })
    await world.kill()
    expect(await world.show('one')).toMatchObject({ state: 'running', spec: { command: ['false'] } })
  })

  test('and applied again is not taken for deleted by the next daemon', async () => {
    await running()
    void world.requests().delete({ workload: 'one' })
    await world.pass(10)
    await world.apply({ name: 'one' })
    await world.kill({ reboots: true })
    await world.pass(100)
    expect(await world.show('one')).toMatchObject({ state: 'starting' })
  })

  test('is gone with the end of its last run, however soon the daemon dies after that', async () => {
    await running()
    void world.requests().delete({ workload: 'one' })
    await world.pass(10)
    world.last().end()
    const isOpen = world.db.prepare('select 1 from workload_run where ended_at is null')
    while (isOpen.get() !== undefined) {
      world.time.step(world.time.now())
      await new Promise((resolve) => setImmediate(resolve))
    }
    await world.kill()
    await world.pass(100)
    expect([world.db.prepare('select name from workload').all(), world.begun.length]).toEqual([[], 1])
  })

  test('is gone from the journal when that is answered', async () => {
    await world.apply(
      { name: 'one', schedule: '0 0 1 1 *', run_mode: 'schedule' },
      { name: 'two', schedule: '0 0 1 1 *', run_mode: 'schedule' },
    )
    const inJournal = () => world.db.prepare('select name from workload').pluck().all()
    world.disk.is = 'hold'
    let isAnswered = false
    void world
      .requests()
      .delete({ workload: 'one' })
      .then(() => (isAnswered = true))
    await world.pass(10)
    expect(isAnswered).toBe(false)
    await world.letGo()
    expect([isAnswered, inJournal()]).toEqual([true, ['two']])
    await world.apply()
    expect(inJournal()).toEqual([])
  })
})

test('an apply that the journal does not take changes nothing, and may be repeated', async () => {
  await running()
  world.disk.is = 'fail'
  const refused = await world.apply({ name: 'one', command: ['false'] }, { name: 'two' }).catch((error: unknown) => error)
  expect(refused).toMatchObject({ ok: false, error: { code: 'unavailable' } })
  world.disk.is = 'well'
  expect(world.last().stops).toBe(0)
  const again = await world.apply({ name: 'one', command: ['false'] }, { name: 'two' })
  expect(again).toMatchObject({ ok: true, output: { added: ['two'], restarted: ['one'] } })
  await world.pass(100)
  expect(world.begun.map(({ order }) => order.env['SKEIN_WORKLOAD'])).toEqual(['one', 'two'])
})
