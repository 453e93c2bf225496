import { describe, expect, test } from 'vitest'
import { commandBodies } from '../../schemas/exchange.ts'
import { type Desk, outputOf, startDesk } from './desk.ts'

/** A device that keeps saying that it is there, naming these runs. */
const beatFor = async (desk: Desk, ms: number, device: string, running: readonly string[]): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 10_000) {
    await desk.beat(device, running)
    await desk.advance(10_000)
  }
}

describe('leases', () => {
  test('a silent run becomes unknown after three heartbeats and 10 s, lost 300 s later, and its retry comes due', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { retries: 1, retry_backoff_seconds: 10 } })
    await desk.report('d1', `${id}-1`, 'running')
    await desk.advance(39_000)
    expect(desk.run(`${id}-1`).state).toBe('running')
    await desk.advance(2000)
    expect(desk.run(`${id}-1`).state).toBe('unknown')
    await desk.advance(297_000)
    expect(desk.run(`${id}-1`).state).toBe('unknown')
    await desk.advance(3000)
    expect(desk.run(`${id}-1`).state).toBe('lost')
    expect(desk.run(`${id}-1`).reason).toBeTruthy()
    expect(desk.task(id).state).toBe('queued')
    await desk.hello('d2')
    await desk.advance(12_000)
    expect(desk.run(`${id}-2`)).toMatchObject({ state: 'dispatched', device: 'd2', attempt: 2 })
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.run(`${id}-1`).state).toBe('lost')
    expect(JSON.parse(desk.run(`${id}-1`).late ?? '')).toMatchObject({ state: 'succeeded', reason: 'superseded' })
    expect(desk.task(id).state).toBe('active')
  })

  test('a heartbeat that names the run brings it back from unknown; one that does not name it does not', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const [one, two] = [await desk.submit(), await desk.submit()]
    for (const id of [one, two]) await desk.report('d1', `${id}-1`, 'running')
    await beatFor(desk, 60_000, 'd1', [`${one}-1`])
    expect(desk.run(`${one}-1`).state).toBe('running')
    expect(desk.run(`${two}-1`).state).toBe('unknown')
    await desk.beat('d1', [`${two}-1`])
    expect(desk.run(`${two}-1`).state).toBe('running')
    const history = outputOf(await desk.ask('task.get', { task_id: two }))['history'] as { state: string }[]
    expect(history.map((one) => one.state).slice(-2)).toEqual(['unknown', 'running'])
  })

  test('lost_after_seconds is the task’s own', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { lost_after_seconds: 5 } })
    await desk.advance(47_000)
    expect(desk.task(id)).toMatchObject({ state: 'lost' })
  })

  test('nothing ages while the controller has no connection, and all begins anew with the next', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    await desk.report('d1', `${id}-1`, 'running')
    desk.bus.cut()
    await desk.advance(1_000_000)
    expect(desk.run(`${id}-1`).state).toBe('running')
    desk.bus.mend()
    await desk.advance(39_000)
    expect(desk.run(`${id}-1`).state).toBe('running')
    await desk.advance(2000)
    expect(desk.run(`${id}-1`).state).toBe('unknown')
  })

  test('a wall clock that jumps a day ahead loses nothing', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    await desk.report('d1', `${id}-1`, 'running')
    desk.life.wallOffsetMs = 86_400_000
    await desk.advance(5000)
    expect(desk.run(`${id}-1`).state).toBe('running')
    expect(outputOf(await desk.ask('device.get', { device: 'd1' }))['state']).toBe('online')
  })

  test('after a restart every lease starts anew', async () => {
    const first = await startDesk()
    await first.hello('d1')
    const id = await first.submit()
    await first.report('d1', `${id}-1`, 'running')
    await first.advance(300_000)
    await first.close()
    await first.advance(600_000)
    const second = await startDesk({ store: first.store, time: first.time })
    await second.advance(39_000)
    expect(second.run(`${id}-1`).state).toBe('unknown')
    await second.advance(290_000)
    expect(second.run(`${id}-1`).state).toBe('unknown')
  })

  test('with on_lost stop the device is told when it will be given up', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.submit({ options: { on_lost: 'stop', lost_after_seconds: 100 } })
    await desk.submit({ options: { lost_after_seconds: 100 } })
    const orders = desk.commands('d1', 'run').flatMap((one) => commandBodies.run.parse(one.body).runs)
    expect(orders.map((one) => one.given_up_after_seconds)).toEqual([140, undefined])
  })

  test('a device that has been silent for long is given up, and told to say hello when it is heard again', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.advance(345_000)
    expect(outputOf(await desk.ask('device.get', { device: 'd1' }))['state']).toBe('offline')
    await desk.beat('d1')
    await desk.advance(300)
    expect(commandBodies.ack.parse(desk.commands('d1', 'ack').at(-1)?.body).hello).toBe(true)
    const id = await desk.submit()
    expect(desk.task(id).state).toBe('queued')
    await desk.hello('d1')
    expect(desk.task(id).state).toBe('active')
  })

  test('that it is given up is told, also if the commit is undone and done again', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.advance(500)
    for (let ms = 500; ms < 345_000; ms += 1000) desk.time.schedule(ms, () => desk.upset(0)) // behind each tick
    await desk.advance(345_000)
    expect(desk.wire.sent.filter((one) => one.text.includes('skein.device.offline'))).toHaveLength(1)
  })
})

describe('commands', () => {
  test('an order that is not answered is sent again after 10 s, doubling to 60', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const start = desk.time.now()
    const id = await desk.submit()
    await beatFor(desk, 300_000, 'd1', [`${id}-1`])
    const times = desk.commands('d1', 'run').map((one) => Math.round((one.at - start) / 1000))
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    for (const [i, expected] of [10, 20, 40, 60, 60].entries())
      expect(Math.abs((waits[i] ?? 0) - expected)).toBeLessThanOrEqual(2)
    expect(new Set(desk.commands('d1', 'run').map((one) => one.id)).size).toBe(times.length)
    await desk.report('d1', `${id}-1`, 'accepted')
    const before = desk.commands('d1', 'run').length
    await beatFor(desk, 120_000, 'd1', [`${id}-1`])
    expect(desk.commands('d1', 'run').length).toBe(before)
  })

  test('a cancel that nobody confirms is shown as cancelled after 30 s, unconfirmed, and goes on until it is', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { capacity: 1 })
    const id = await desk.submit()
    await desk.report('d1', `${id}-1`, 'running')
    await desk.ask('task.cancel', { task_id: id })
    await beatFor(desk, 20_000, 'd1', [`${id}-1`])
    expect(desk.task(id).state).toBe('active')
    await beatFor(desk, 20_000, 'd1', [`${id}-1`])
    expect(desk.task(id).state).toBe('cancelled')
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'cancelled', confirmed: 0 })
    const sent = desk.commands('d1', 'cancel').length
    await beatFor(desk, 200_000, 'd1', [`${id}-1`])
    expect(desk.commands('d1', 'cancel').length).toBeGreaterThan(sent)
    // Its processes are still there: nothing may take their place.
    const next = await desk.submit()
    expect(desk.task(next).state).toBe('queued')
    await desk.report('d1', `${id}-1`, 'cancelled', { reason: 'cancelled' })
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'cancelled', confirmed: 1, late: null })
    expect(desk.task(next).state).toBe('active')
    const after = desk.commands('d1', 'cancel').length
    await desk.advance(120_000)
    expect(desk.commands('d1', 'cancel').length).toBe(after)
  })

  test('a cancel of a device that is away goes on with its next hello, through a restart of the controller', async () => {
    const first = await startDesk()
    await first.hello('d1')
    const id = await first.submit()
    await first.ask('task.cancel', { task_id: id })
    await first.advance(60_000)
    await first.close()
    const second = await startDesk({ store: first.store, time: first.time })
    await second.hello('d1', { session: 2, runs: [{ run: `${id}-1`, task: id, state: 'running' }] })
    expect(commandBodies.welcome.parse(second.commands('d1', 'welcome').at(-1)?.body).cancels).toEqual([`${id}-1`])
  })
})

describe('time alone', () => {
  test('what has not started within start_within_seconds ends as expired, whatever comes later', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ options: { start_within_seconds: 20 } })
    await desk.advance(19_000)
    expect(desk.task(id).state).toBe('queued')
    await desk.advance(2000)
    expect(desk.task(id)).toMatchObject({ state: 'expired', reason: 'not started within start_within_seconds' })
    await desk.hello('d1')
    await desk.advance(10_000)
    expect(desk.store.runs.ofTask(id)).toEqual([])
  })

  test('a run that its device refuses as too late ends its task as expired, and is not retried', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { start_within_seconds: 20, retries: 3 } })
    const order = commandBodies.run.parse(desk.commands('d1', 'run').at(-1)?.body).runs[0]
    expect(Date.parse(order?.start_before ?? '')).toBe(desk.task(id).created_at + 20_000)
    await desk.report('d1', `${id}-1`, 'rejected', { reason: 'expired' })
    expect(desk.task(id).state).toBe('expired')
    expect(desk.store.queue.depth().depth).toBe(0)
  })

  test('retries end: retries + 1 runs, then the last end is the task’s', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { retries: 2, retry_backoff_seconds: 1 } })
    for (let attempt = 1; attempt <= 3; attempt++) {
      await desk.report('d1', `${id}-${attempt}`, 'failed', { reason: `exited with ${attempt}`, exit_code: attempt })
      await desk.advance(10_000)
    }
    expect(desk.task(id)).toMatchObject({ state: 'failed', reason: 'exited with 3', exit_code: 3, attempt: 3 })
    expect(desk.store.runs.ofTask(id).length).toBe(3)
  })
})

describe('dispatch', () => {
  test('by priority, then age; never more than a device has room for', async () => {
    const desk = await startDesk()
    const ids: Record<string, string> = {}
    for (const priority of ['low', 'medium', 'critical', 'high', 'critical'])
      ids[`${priority}${Object.keys(ids).length}`] = await desk.submit({ priority })
    await desk.hello('d1', { capacity: 1 })
    const order: string[] = []
    for (let i = 0; i < 5; i++) {
      const live = desk.store.runs.open()
      expect(live.length).toBe(1)
      const run = live[0]
      order.push(Object.keys(ids).find((key) => ids[key] === run?.task_id) ?? '')
      await desk.report('d1', run?.run_id ?? '', 'succeeded', { exit_code: 0 })
    }
    expect(order).toEqual(['critical2', 'critical4', 'high3', 'medium1', 'low0'])
  })

  test('nothing waits behind work for a device that is away or busy', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { capacity: 1 })
    for (let i = 0; i < 200; i++) await desk.submit({ target: { device: i % 2 ? 'd1' : 'd9' }, priority: 'critical' })
    await desk.hello('d2', { labels: { os: 'linux', spare: 'yes' } })
    const id = await desk.submit({ target: { selector: 'spare=yes' }, priority: 'low' })
    expect(desk.task(id)).toMatchObject({ state: 'active', device: 'd2' })
  })
})
