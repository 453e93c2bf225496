import { describe, expect, test } from 'vitest'
import { openStore } from '../../controller/store/store.ts'
import { commandBodies } from '../../schemas/exchange.ts'
import { topicOf } from '../../schemas/topics.ts'
import { someCommandKeys } from '../harness/keys.ts'
import { codeOf, outputOf, startDesk } from './desk.ts'

const welcomeTo = (desk: Awaited<ReturnType<typeof startDesk>>, device: string) =>
  commandBodies.welcome.parse(desk.commands(device, 'welcome').at(-1)?.body)

describe('exchange', () => {
  test('a report that comes twice, or after a newer one, changes nothing', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    const run = `${id}-1`
    await desk.report('d1', run, 'accepted', { seq: 1 })
    await desk.report('d1', run, 'succeeded', { seq: 2, exit_code: 0 })
    const ended = desk.task(id)
    await desk.report('d1', run, 'accepted', { seq: 1 })
    await desk.report('d1', run, 'failed', { seq: 2, exit_code: 1 })
    expect(desk.task(id)).toEqual(ended)
    expect(desk.run(run).late).toBeNull()
  })

  test('a report with a gap before it is not taken, and is asked for again', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const run = `${await desk.submit()}-1`
    await desk.report('d1', run, 'succeeded', { seq: 3 })
    expect(desk.run(run).state).toBe('dispatched')
    const ack = commandBodies.ack.parse(desk.commands('d1', 'ack').at(-1)?.body)
    expect(ack).toMatchObject({ again: ['runs'], cursors: { runs: 0 } })
  })

  test('an acknowledgement names only what is committed', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const run = `${await desk.submit()}-1`
    await desk.report('d1', run, 'accepted')
    await desk.report('d1', run, 'running')
    await desk.advance(300)
    const ack = commandBodies.ack.parse(desk.commands('d1', 'ack').at(-1)?.body)
    expect(ack.cursors).toEqual({ runs: desk.store.devices.get('d1')?.cursor })
    expect(ack.cursors['runs']).toBe(2)
  })

  test('nobody can report a run of another device', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2')
    const id = await desk.submit({ target: { device: 'd1' } })
    await desk.report('d2', `${id}-1`, 'succeeded')
    await desk.chunk('d2', `${id}-1`, [[1, 1, 'o', 'not mine']])
    expect(desk.run(`${id}-1`).state).toBe('dispatched')
    expect(desk.store.logs.lastSeq(`${id}-1`)).toBe(0)
  })

  test('a run that a hello does not name was not received, and is sent again under the same id', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const run = `${await desk.submit()}-1`
    await desk.hello('d1')
    const orders = desk.commands('d1', 'run').map((one) => commandBodies.run.parse(one.body).runs.map((order) => order.run))
    expect(orders).toEqual([[run], [run]])
  })

  test('a new journal loses every unfinished run of the old one, and sends none of them again', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const one = await desk.submit()
    const two = await desk.submit()
    await desk.report('d1', `${one}-1`, 'accepted')
    await desk.report('d1', `${one}-1`, 'running')
    await desk.hello('d1', { journal: 'new', session: 2 })
    for (const id of [one, two]) {
      expect(desk.task(id)).toMatchObject({ state: 'lost', reason: 'journal_lost' })
      expect(desk.run(`${id}-1`)).toMatchObject({ state: 'lost', reason: 'journal_lost' })
    }
    const before = desk.commands('d1', 'run').length
    await desk.hello('d1', { session: 3 })
    await desk.advance(120_000)
    expect(desk.commands('d1', 'run').length).toBe(before)
  })

  test('an old journal that speaks again changes nothing', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d1', { journal: 'new', session: 2 })
    const id = await desk.submit()
    await desk.hello('d1', { journal: 'journal-of-d1', session: 1 })
    expect(desk.store.devices.get('d1')?.journal).toBe('new')
    await desk.report('d1', `${id}-1`, 'succeeded', { seq: 1 })
    expect(desk.task(id).state).toBe('active')
  })

  test('a cancelled run on a journal that is gone counts as confirmed', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    await desk.ask('task.cancel', { task_id: id })
    await desk.hello('d1', { journal: 'new', session: 2 })
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'cancelled', confirmed: 1 })
    expect(desk.task(id).state).toBe('cancelled')
  })

  test('a run that a restored database does not know is adopted from the word of its device', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { runs: [{ run: 'gone-2', task: 'gone', state: 'running' }], epoch: 5 })
    expect(welcomeTo(desk, 'd1').wanted).toEqual(['gone-2'])
    const shown = outputOf(await desk.ask('task.get', { task_id: 'gone' }))
    expect(shown).toMatchObject({ state: 'active', reason: 'adopted', device: 'd1' })
    await desk.report('d1', 'gone-2', 'succeeded', { exit_code: 0 })
    expect(desk.task('gone')).toMatchObject({ state: 'succeeded', exit_code: 0 })
    expect(codeOf(await desk.ask('task.list', {}))).toBe('ok')
  })

  test('a task that a restored database still has queued is not run a second time beside its adopted run', async () => {
    const desk = await startDesk()
    const id = await desk.submit()
    await desk.hello('d1', { runs: [{ run: `${id}-1`, task: id, state: 'running' }] })
    expect(desk.task(id)).toMatchObject({ state: 'active', attempt: 1, device: 'd1' })
    await desk.hello('d2')
    await desk.advance(10_000)
    expect(desk.commands('d1', 'run')).toEqual([])
    expect(desk.commands('d2', 'run')).toEqual([])
    expect(codeOf(await desk.ask('task.submit', { payload: { command: 'true' } }))).toBe('ok')
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id).state).toBe('succeeded')
  })

  test('a task that was cancelled before its adopted run was heard of is cancelled there too', async () => {
    const desk = await startDesk()
    const id = await desk.submit()
    await desk.ask('task.cancel', { task_id: id })
    await desk.hello('d1', { runs: [{ run: `${id}-1`, task: id, state: 'running' }] })
    expect(welcomeTo(desk, 'd1').cancels).toEqual([`${id}-1`])
    await desk.report('d1', `${id}-1`, 'cancelled')
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'cancelled', confirmed: 1 })
  })

  test('a retry after an adopted attempt gets a number of its own', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ options: { retries: 5, retry_backoff_seconds: 0 } })
    await desk.hello('d1', { runs: [{ run: `${id}-3`, task: id, state: 'running' }] })
    await desk.report('d1', `${id}-3`, 'failed', { exit_code: 1 })
    await desk.advance(3000)
    expect(desk.run(`${id}-4`)).toMatchObject({ state: 'dispatched', attempt: 4 })
  })

  test('a run that ended before the database was restored is asked for its end, not lost', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { runs: [{ run: 'gone-1', task: 'gone', state: 'failed' }] })
    const asked = desk.commands('d1', 'run').map((one) => commandBodies.run.parse(one.body).runs.map((order) => order.run))
    expect(asked).toEqual([['gone-1']])
  })

  test('what a task ran that was adopted is not known: it cannot be retried', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { runs: [{ run: 'gone-1', task: 'gone', state: 'running' }] })
    await desk.report('d1', 'gone-1', 'failed', { exit_code: 1 })
    expect(codeOf(await desk.ask('task.retry', { task_id: 'gone' }))).toBe('invalid')
  })

  test('a hello that proves a higher epoch raises ours above it, stored and announced', async () => {
    const [keys, stranger] = [someCommandKeys(), someCommandKeys()]
    const desk = await startDesk({ keys })
    const ours = desk.controller.epoch()
    const seen = { fleet: 'default', epoch: ours + 41 }
    const proof = keys.newest().sign('skein-epoch', JSON.stringify(seen))
    // Nobody's mere word, and no proof of something else.
    await desk.hello('d1', { epoch: ours + 41 })
    await desk.hello('d1', {
      epoch: ours + 41,
      proof: stranger.newest().sign('skein-epoch', JSON.stringify(seen), { withKey: true }),
    })
    await desk.hello('d1', { epoch: ours + 500, proof })
    await desk.hello('d1', { epoch: ours + 41, proof: keys.newest().sign('skein-command', JSON.stringify(seen)) })
    await desk.hello('d1', {
      epoch: ours + 41,
      proof: keys.newest().sign('skein-epoch', JSON.stringify({ ...seen, fleet: 'other' })),
    })
    expect(desk.controller.epoch()).toBe(ours)

    await desk.hello('d1', { epoch: ours + 41, proof })
    expect(desk.controller.epoch()).toBe(ours + 42)
    expect(desk.store.meta.get('epoch')).toBe(String(ours + 42))
    expect(desk.commands('d1', 'welcome').at(-1)?.epoch).toBe(ours + 42)
    const announced = desk.wire.sent.filter((one) => one.topic === topicOf('default', 'controllerState', {})).at(-1)
    expect(JSON.parse(announced?.text ?? '')).toMatchObject({ state: 'online', epoch: ours + 42 })
    await desk.hello('d1', { epoch: ours })
    expect(desk.controller.epoch()).toBe(ours + 42)
  })

  test('a hello whose commit is undone and done again raises the epoch all the same, and is told of', async () => {
    const keys = someCommandKeys()
    const desk = await startDesk({ keys })
    const seen = { fleet: 'default', epoch: desk.controller.epoch() + 41 }
    desk.time.schedule(0, () => desk.upset(0)) // behind the hello
    await desk.hello('d1', { epoch: seen.epoch, proof: keys.newest().sign('skein-epoch', JSON.stringify(seen)) })
    expect([desk.controller.epoch(), desk.store.meta.get('epoch')]).toEqual([seen.epoch + 1, String(seen.epoch + 1)])
    expect(desk.commands('d1', 'welcome').map((one) => one.epoch)).toEqual([seen.epoch + 1])
    expect(desk.wire.sent.filter((one) => one.text.includes('skein.device.online'))).toHaveLength(1)
  })
})

describe('startController()', () => {
  test('the epoch is one higher at each start', async () => {
    const first = await startDesk()
    const epoch = first.controller.epoch()
    await first.close()
    const second = await startDesk({ store: first.store, time: first.time, wire: first.wire })
    expect(second.controller.epoch()).toBe(epoch + 1)
  })

  test('the state of a controller that is not signed by a key of ours drives nobody away', async () => {
    const desk = await startDesk()
    const higher = { state: 'online', epoch: desk.controller.epoch() + 5, at: '2026-01-01T00:00:00.000Z', instance: 'x' }
    await desk.say(topicOf('default', 'controllerState', {}), higher)
    await desk.say(topicOf('default', 'controllerState', {}), {
      ...higher,
      proof: someCommandKeys()
        .newest()
        .sign('skein-epoch', JSON.stringify({ fleet: 'default', epoch: higher.epoch })),
    })
    expect(desk.overtakenBy).toEqual([])
  })

  test('of two controllers with the same epoch one goes above, and the other is overtaken', async () => {
    const one = await startDesk({ seed: 1 })
    const copy = openStore(':memory:', ':memory:')
    copy.meta.set('epoch', String(one.controller.epoch() - 1))
    const two = await startDesk({ seed: 2, store: copy, time: one.time, wire: one.wire })
    await one.advance(10)
    await two.advance(10)
    expect(one.overtakenBy.length + two.overtakenBy.length).toBeGreaterThan(0)
    expect(one.overtakenBy.length > 0 && two.overtakenBy.length > 0).toBe(false)
    expect(one.controller.epoch()).not.toBe(two.controller.epoch())
  })

  test('of two controllers the one with the lower epoch is told that it is overtaken, the other is not', async () => {
    const one = await startDesk({ seed: 1 })
    const two = await startDesk({ seed: 2, time: one.time, wire: one.wire })
    await one.advance(100)
    const [low, high] = one.controller.epoch() < two.controller.epoch() ? [one, two] : [two, one]
    expect(low.overtakenBy).toContain(high.controller.epoch())
    expect(high.overtakenBy).toEqual([])
  })
})
