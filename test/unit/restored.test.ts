import { describe, expect, test } from 'vitest'
import { openStore } from '../../controller/store/store.ts'
import { createTime } from '../simulation/sim-clock.ts'
import { createWire, startDesk } from './desk.ts'

const hour = 3_600_000

/** A controller on a database that was restored `ageMs` after its copy was taken, with what `fill` did before. */
const restoredDesk = async (
  ageMs: number,
  fill: (desk: Awaited<ReturnType<typeof startDesk>>) => Promise<void>,
  runWaiting = false,
) => {
  const time = createTime()
  const wire = createWire(time)
  const store = openStore(':memory:', ':memory:')
  const before = await startDesk({ time, wire, store })
  await fill(before)
  const now = before.clock.now()
  await before.close()
  store.meta.set('restored', JSON.stringify({ at: now, made: now - ageMs, run_waiting: runWaiting }))
  return startDesk({ time, wire, store })
}
const idOf = (desk: Awaited<ReturnType<typeof startDesk>>, key: string): string => {
  const row = desk.store.tasks.byKey('admin', key)
  if (!row) throw new Error(`there is no task of the key ${key}`)
  return row.task_id
}

describe('a restored database', () => {
  const fill = async (desk: Awaited<ReturnType<typeof startDesk>>): Promise<void> => {
    await desk.hello('d1', { capacity: 1 })
    await desk.hello('d2', { capacity: 1 })
    for (const name of ['d1', 'd2']) await desk.submit({ target: { device: name }, idempotency_key: `busy-${name}` })
    await desk.submit({ idempotency_key: 'any' })
    await desk.submit({ target: { device: 'd2' }, idempotency_key: 'own' })
  }

  test('sends nothing before all devices have said what they have; then what may have run elsewhere is lost, the rest goes on', async () => {
    const desk = await restoredDesk(hour, fill)
    const ordered = () => ['d1', 'd2'].flatMap((name) => desk.commands(name, 'run')).length
    const at = ordered()
    await desk.hello('d1', { session: 2, capacity: 9, runs: [{ run: `${idOf(desk, 'busy-d1')}-1`, state: 'running' }] })
    await desk.advance(5000)
    expect(desk.task(idOf(desk, 'any')).state).toBe('queued')
    expect(ordered()).toBe(at)
    await desk.hello('d2', { session: 2, capacity: 9, runs: [{ run: `${idOf(desk, 'busy-d2')}-1`, state: 'running' }] })
    await desk.advance(5000)
    expect(desk.task(idOf(desk, 'any'))).toMatchObject({ state: 'lost', reason: expect.stringContaining('restored') })
    expect(desk.task(idOf(desk, 'own')).state).toBe('active')
    expect(desk.store.meta.get('restored')).toBeUndefined()
    await desk.close()
  })

  test('a run that a device names is taken up, in the place of the task that waits', async () => {
    const desk = await restoredDesk(hour, fill)
    const id = idOf(desk, 'any')
    await desk.hello('d1', { session: 2, runs: [{ run: `${id}-1`, task: id, state: 'running' }] })
    await desk.hello('d2', { session: 2 })
    await desk.advance(5000)
    expect(desk.task(id).state).toBe('active')
    expect(desk.run(`${id}-1`)).toMatchObject({ device: 'd1', reason: 'adopted' })
    await desk.close()
  })

  test('does not wait for a device that stays away', async () => {
    const desk = await restoredDesk(hour, fill)
    await desk.hello('d1', { session: 2 })
    await desk.advance(30_000)
    expect(desk.task(idOf(desk, 'any')).state).toBe('queued')
    await desk.advance(35_000)
    expect(desk.task(idOf(desk, 'any')).state).toBe('lost')
    await desk.close()
  })

  test('with run_waiting all of it goes on', async () => {
    const desk = await restoredDesk(hour, fill, true)
    for (const name of ['d1', 'd2']) await desk.hello(name, { session: 2, capacity: 9 })
    await desk.advance(5000)
    expect(desk.task(idOf(desk, 'any')).state).toBe('active')
    await desk.close()
  })

  test('of an old copy nothing is sent again that its device does not name', async () => {
    const desk = await restoredDesk(13 * hour, fill)
    for (const name of ['d1', 'd2']) await desk.hello(name, { session: 2, capacity: 9 })
    await desk.advance(5000)
    for (const key of ['busy-d1', 'busy-d2', 'any', 'own'])
      expect(desk.task(idOf(desk, key))).toMatchObject({ state: 'lost', reason: expect.stringContaining('restored') })
    await desk.close()
  })
})
