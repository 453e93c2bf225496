import { describe, expect, test } from 'vitest'
import { commandBodies } from '../../schemas/exchange.ts'
import { type Desk, startDesk } from './desk.ts'

const welcomeTo = (desk: Desk, device: string) => commandBodies.welcome.parse(desk.commands(device, 'welcome').at(-1)?.body)
const running = (...runs: string[]) => runs.map((run) => ({ run, task: run.replace(/-\d+$/, ''), state: 'running' }))
/** The runs that a device was ordered, in turn. */
const orderedTo = (desk: Desk, device: string): string[] =>
  desk.commands(device, 'run').flatMap((one) => commandBodies.run.parse(one.body).runs.map((order) => order.run))

describe('a run that a device names and the controller does not know', () => {
  test('of a task that waits for another device is unwanted, and changes nothing of the task', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ target: { device: 'd2' } })
    const before = desk.task(id)
    await desk.hello('d1', { runs: running(`${id}-1`) })
    expect(welcomeTo(desk, 'd1')).toMatchObject({ wanted: [], unwanted: [`${id}-1`] })
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toEqual(before)
    await desk.hello('d2')
    expect(orderedTo(desk, 'd2')).toEqual([`${id}-1`])
    expect(desk.run(`${id}-1`)).toMatchObject({ device: 'd2', state: 'dispatched' })
    await desk.report('d2', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toMatchObject({ state: 'succeeded', device: 'd2' })
  })

  test('stands for no other part of a fan-out than that of its own device', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2', { capacity: 0 })
    const id = await desk.submit({ target: { selector: 'os=linux', fanout: 'all' } })
    await desk.hello('d1', { runs: running(`${id}-1`, `${id}-2`) })
    expect(welcomeTo(desk, 'd1')).toMatchObject({ wanted: [`${id}-1`], unwanted: [`${id}-2`] })
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    await desk.report('d1', `${id}-2`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toMatchObject({ ended_at: null, open: 1 })
    await desk.hello('d2')
    expect(orderedTo(desk, 'd2')).toEqual([`${id}-2`])
    await desk.report('d2', `${id}-2`, 'failed', { exit_code: 1 })
    expect(desk.task(id).state).toBe('failed')
  })

  test('takes its own place in a fan-out that waits, whatever its number', async () => {
    const desk = await startDesk()
    for (const name of ['d1', 'd2']) await desk.hello(name, { capacity: 0 })
    const id = await desk.submit({ target: { selector: 'os=linux', fanout: 'all' } })
    await desk.hello('d1', { runs: running(`${id}-2`) })
    await desk.hello('d2', { runs: running(`${id}-1`) })
    await desk.report('d1', `${id}-2`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toMatchObject({ state: 'active', open: 1 })
    await desk.report('d2', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id).state).toBe('succeeded')
  })

  test('is taken up for a selector that matches its device, drained or not, and for no other', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2', { labels: { os: 'linux', gpu: 'yes' }, capacity: 0 })
    await desk.ask('device.drain', { name: 'd2' })
    const id = await desk.submit({ target: { selector: 'gpu=yes' } })
    await desk.hello('d1', { runs: running(`${id}-1`) })
    expect(welcomeTo(desk, 'd1').unwanted).toEqual([`${id}-1`])
    expect(desk.task(id).state).toBe('queued')
    await desk.hello('d2', { labels: { os: 'linux', gpu: 'yes' }, runs: running(`${id}-1`) })
    expect(welcomeTo(desk, 'd2')).toMatchObject({ wanted: [`${id}-1`], unwanted: [] })
    expect(desk.task(id)).toMatchObject({ state: 'active', device: 'd2' })
    await desk.report('d2', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id).state).toBe('succeeded')
  })

  test('of a task that another device has is unwanted, and its number is not given out again', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { retries: 1, retry_backoff_seconds: 0 } })
    await desk.hello('d2', { runs: running(`${id}-2`) })
    expect(welcomeTo(desk, 'd2').unwanted).toEqual([`${id}-2`])
    await desk.report('d2', `${id}-2`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toMatchObject({ state: 'active', device: 'd1' })
    await desk.report('d1', `${id}-1`, 'failed', { exit_code: 1 })
    await desk.advance(3000)
    expect(desk.run(`${id}-3`).state).toBe('dispatched')
  })

  test('older than the attempt that was taken up is unwanted, also while a retry waits', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ options: { retries: 5, retry_backoff_seconds: 60 } })
    await desk.hello('d1', { runs: running(`${id}-3`) })
    await desk.report('d1', `${id}-3`, 'failed', { exit_code: 1 })
    await desk.hello('d2', { runs: running(`${id}-2`) })
    expect(welcomeTo(desk, 'd2').unwanted).toEqual([`${id}-2`])
    expect(desk.task(id).state).toBe('queued')
  })

  test('follows an older one that its device does not have any more, and only in its place', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2', { capacity: 0 })
    const id = await desk.submit({ target: { selector: 'os=linux', fanout: 'all' }, options: { retries: 1 } })
    await desk.hello('d1', { runs: running(`${id}-5`) })
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'lost', reason: 'superseded' })
    expect(desk.run(`${id}-5`)).toMatchObject({ state: 'accepted', reason: 'adopted', tries: 2 })
    expect(orderedTo(desk, 'd1')).toEqual([`${id}-1`])
    await desk.report('d1', `${id}-5`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id)).toMatchObject({ ended_at: null, open: 1 })
  })

  test('of an adopted task is recorded for a second device too, and does not end it', async () => {
    const desk = await startDesk()
    await desk.hello('d1', { runs: running('gone-1') })
    const before = desk.task('gone')
    await desk.hello('d2', { runs: running('gone-2') })
    expect(welcomeTo(desk, 'd2')).toMatchObject({ wanted: ['gone-2'], unwanted: [] })
    await desk.report('d2', 'gone-2', 'running')
    await desk.report('d2', 'gone-2', 'failed', { exit_code: 1 })
    expect(desk.run('gone-2')).toMatchObject({ device: 'd2', state: 'failed' })
    expect(desk.task('gone')).toEqual(before)
    await desk.report('d1', 'gone-1', 'succeeded', { exit_code: 0 })
    expect(desk.task('gone')).toMatchObject({ state: 'succeeded', device: 'd1' })
  })

  test('is unwanted if it is of another task than it says, or known as that of another device', async () => {
    const desk = await startDesk()
    await desk.hello('d2')
    const id = await desk.submit({ target: { device: 'd2' } })
    const named = [`${id}-1`, `${id}-2`, 'pump', 'pump-0']
    await desk.hello('d1', { runs: named.map((run) => ({ run, task: run === `${id}-1` ? id : 'mine', state: 'running' })) })
    expect(welcomeTo(desk, 'd1')).toMatchObject({ wanted: [], unwanted: named })
    expect(desk.store.tasks.get('mine')).toBeUndefined()
    expect(desk.run(`${id}-1`)).toMatchObject({ device: 'd2', state: 'dispatched' })
  })

  test('and does not want has its log acknowledged unread: nobody will ever take it', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ target: { device: 'd2' } })
    const run = `${id}-1`
    await desk.hello('d1', { runs: running(run), streams: { [`log:${run}`]: 12, 'log:other-1': 3 } })
    expect(welcomeTo(desk, 'd1').cursors).toEqual({ [`log:${run}`]: 12, 'log:other-1': 0 })
  })
})
