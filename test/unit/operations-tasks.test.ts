import { describe, expect, test } from 'vitest'
import { Run, Task } from '../../schemas/task.ts'
import { codeOf, type Desk, outputOf, startDesk, taskIdOf } from './desk.ts'

const get = async (desk: Desk, id: string) => outputOf(await desk.ask('task.get', { task_id: id }))
const detailsOf = (outcome: Awaited<ReturnType<Desk['ask']>>) =>
  outcome.ok ? [] : (outcome.error.details ?? []).map((one) => `${one.field}:${one.code}`)

describe('task.submit', () => {
  test.each([65, 4000, 30_000])('an input of %i levels is refused and audited, one of 64 is taken as it is', async (levels) => {
    const desk = await startDesk()
    // The input and its metadata are two of them.
    const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}`)
    const task = (depth: number) => ({
      payload: { command: ['a'] },
      idempotency_key: 'deep',
      metadata: { nested: nested(depth) },
    })
    const deep = await desk.ask('task.submit', task(levels))
    expect([codeOf(deep), detailsOf(deep)]).toEqual(['invalid', ['(input):too_deep']])
    expect(desk.store.tasks.counts()).toEqual({})
    const taken = outputOf(await desk.ask('task.submit', task(64)))
    expect((await get(desk, String(taken['task_id'])))['metadata']).toEqual({ nested: nested(64) })
  })

  test('the same key and body give the same task; another body is a conflict and stores nothing', async () => {
    const desk = await startDesk()
    const task = {
      payload: { command: ['a'], env: { A: '1', B: '2' } },
      idempotency_key: 'k',
      options: { retries: 1, timeout: 5 },
    }
    const first = outputOf(await desk.ask('task.submit', task))
    const turned = {
      options: { timeout_seconds: 5, retries: 1 },
      idempotency_key: 'k',
      payload: { env: { B: '2', A: '1' }, command: ['a'] },
    }
    const again = outputOf(await desk.ask('task.submit', turned))
    expect(again).toMatchObject({ task_id: first['task_id'], duplicate: true })
    expect(first['duplicate']).toBeUndefined()
    const other = await desk.ask('task.submit', { ...task, payload: { command: ['b'] } })
    expect([codeOf(other), detailsOf(other)]).toEqual(['conflict', ['idempotency_key:conflict']])
    expect(desk.store.tasks.counts()).toEqual({ queued: 1 })
  })

  test('the same key and body by another door are the same task', async () => {
    const desk = await startDesk()
    const task = { payload: { command: ['a'] }, idempotency_key: 'k' }
    const first = await desk.ask('task.submit', task, 'admin', 'mqtt')
    const second = await desk.ask('task.submit', task, 'admin', 'api')
    expect(codeOf(second)).toBe('ok')
    expect(taskIdOf(second)).toBe(taskIdOf(first))
    expect(outputOf(second)['source']).toBe('mqtt')
  })

  test('a key counts per client', async () => {
    const desk = await startDesk()
    const task = { idempotency_key: 'k' }
    expect(await desk.submit(task, 'admin')).not.toBe(await desk.submit(task, 'olga'))
  })

  test('a key holds after its task has ended, and on a retry of that task', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ idempotency_key: 'k' })
    await desk.ask('task.cancel', { task_id: id })
    expect(await desk.submit({ idempotency_key: 'k' })).toBe(id)
    const retried = await desk.ask('task.retry', { task_id: id, idempotency_key: 'r' })
    const again = await desk.ask('task.retry', { task_id: id, idempotency_key: 'r' })
    expect(taskIdOf(retried)).not.toBe(id)
    expect(taskIdOf(again)).toBe(taskIdOf(retried))
    expect(outputOf(retried)).toMatchObject({ retry_of: id, state: 'queued' })
  })

  test('repetitions in the same instant are one task', async () => {
    const desk = await startDesk()
    const asked = Array.from({ length: 10 }, () =>
      desk.controller.ask({ subject: 'admin', door: 'mqtt' }, 'task.submit', { payload: { command: 'x' }, idempotency_key: 'k' }),
    )
    const answers = await desk.settle(Promise.all(asked))
    expect(new Set(answers.map(taskIdOf)).size).toBe(1)
    expect(answers.filter((one) => !outputOf(one)['duplicate']).length).toBe(1)
  })

  test('wrong input is refused with its field, and nothing is stored', async () => {
    const desk = await startDesk()
    for (const input of [
      {},
      { payload: {} },
      { payload: { prompt: '' } },
      { payload: { command: 'x' }, target: { selector: '=' } },
      5,
    ]) {
      const outcome = await desk.ask('task.submit', input)
      expect(codeOf(outcome)).toBe('invalid')
      expect(detailsOf(outcome).length).toBeGreaterThan(0)
    }
    expect(desk.store.tasks.counts()).toEqual({})
    expect(desk.store.queue.depth().depth).toBe(0)
  })

  test('a fan-out is fixed at its commit: who joins later is not part of it, who is away is', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    await desk.hello('d2')
    await desk.hello('d3', { labels: { os: 'plan9' } })
    const id = await desk.submit({ target: { selector: 'os=linux', fanout: 'all' } })
    await desk.hello('d4')
    await desk.advance(6000)
    expect(
      desk.store.runs
        .ofTask(id)
        .map((run) => run.device)
        .sort(),
    ).toEqual(['d1', 'd2'])
    for (const [i, run] of desk.store.runs.ofTask(id).entries())
      await desk.report(run.device, run.run_id, i === 0 ? 'succeeded' : 'failed', { exit_code: i })
    expect(desk.task(id)).toMatchObject({ state: 'failed' })
    expect(desk.task(id).reason).toContain('1 of its runs did not succeed')
  })

  test('a fan-out leaves out devices that are drained, and one that matches none is no_match', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    desk.store.db.prepare('update device set drained = 1').run()
    const again = await startDesk({ store: desk.store, time: desk.time })
    const outcome = await again.ask('task.submit', { payload: { command: 'x' }, target: { fanout: 'all' } })
    expect([codeOf(outcome), detailsOf(outcome)]).toEqual(['no_match', ['target.selector:no_match']])
    expect(again.store.tasks.counts()).toEqual({})
  })
})

describe('task.get', () => {
  test('shows the runs and the history in order, each as the schemas say', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { retries: 1, retry_backoff_seconds: 4 } })
    for (const state of ['accepted', 'running', 'failed'] as const) {
      await desk.advance(500)
      await desk.report('d1', `${id}-1`, state, state === 'failed' ? { reason: 'exited with 3', exit_code: 3 } : {})
    }
    expect(desk.task(id).state).toBe('queued')
    await desk.advance(8000)
    await desk.report('d1', `${id}-2`, 'running')
    await desk.report('d1', `${id}-2`, 'succeeded', { exit_code: 0 })
    const shown = await get(desk, id)
    Task.parse(shown)
    expect((shown['runs'] as unknown[]).map((one) => Run.parse(one).state)).toEqual(['failed', 'succeeded'])
    const history = shown['history'] as { at: string; state: string }[]
    expect(history.map((one) => one.state)).toEqual([
      'queued',
      'dispatched',
      'accepted',
      'running',
      'failed',
      'queued',
      'dispatched',
      'accepted',
      'running',
      'succeeded',
      'succeeded',
    ])
    expect(history.map((one) => one.at)).toEqual(history.map((one) => one.at).sort())
    expect(shown).toMatchObject({ state: 'succeeded', exit_code: 0, attempt: 2, device: 'd1' })
  })

  test('a queued task says why it waits', async () => {
    const desk = await startDesk()
    const reason = async (id: string) => (await get(desk, id))['reason']
    expect(await reason(await desk.submit())).toBe('no device has joined yet')
    await desk.hello('d1', { capacity: 0 })
    expect(await reason(await desk.submit({ target: { selector: 'gpu' } }))).toBe('no device matches the selector gpu (1 known)')
    expect(await reason(await desk.submit({ target: { device: 'd7' } }))).toBe('no device named "d7" has joined')
    expect(await reason(await desk.submit({ target: { device: 'd1' } }))).toBe('busy: d1')
  })

  test('what is not there is not found', async () => {
    const desk = await startDesk()
    for (const name of ['task.get', 'task.cancel', 'task.retry', 'task.logs'])
      expect(codeOf(await desk.ask(name, { task_id: 'nowhere' }))).toBe('not_found')
    expect(codeOf(await desk.ask('device.get', { device: 'nobody' }))).toBe('not_found')
  })
})

describe('task.cancel', () => {
  test('a queued task ends at once, and is never dispatched', async () => {
    const desk = await startDesk()
    const id = await desk.submit()
    expect(outputOf(await desk.ask('task.cancel', { task_id: id }, 'olga'))).toMatchObject({
      state: 'cancelled',
      reason: 'cancelled by olga',
    })
    await desk.hello('d1')
    await desk.advance(6000)
    expect(desk.commands('d1', 'run')).toEqual([])
    expect(desk.store.queue.depth().depth).toBe(0)
  })

  test('a task that waits for its retry ends at once', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit({ options: { retries: 3, retry_backoff_seconds: 60 } })
    await desk.report('d1', `${id}-1`, 'failed', { exit_code: 1 })
    await desk.ask('task.cancel', { task_id: id })
    expect(desk.task(id).state).toBe('cancelled')
    await desk.advance(200_000)
    expect(desk.store.runs.ofTask(id).length).toBe(1)
  })

  test('an active task is marked at once and ends when its device confirms; a real outcome that comes later is kept beside', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const id = await desk.submit()
    await desk.report('d1', `${id}-1`, 'running')
    const asked = outputOf(await desk.ask('task.cancel', { task_id: id }))
    expect(asked['state']).toBe('active')
    expect(asked['cancel_requested_at']).not.toBeNull()
    expect(desk.commands('d1', 'cancel').map((one) => one.body)).toEqual([{ runs: [`${id}-1`] }])
    await desk.report('d1', `${id}-1`, 'succeeded', { exit_code: 0 })
    expect(desk.task(id).state).toBe('cancelled')
    expect(desk.run(`${id}-1`)).toMatchObject({ state: 'cancelled', confirmed: 1 })
    expect(JSON.parse(desk.run(`${id}-1`).late ?? '')).toMatchObject({ state: 'succeeded', exit_code: 0 })
  })

  test('once more is the same answer; a task that has ended otherwise is a conflict', async () => {
    const desk = await startDesk()
    await desk.hello('d1')
    const [one, two] = [await desk.submit(), await desk.submit()]
    await desk.ask('task.cancel', { task_id: one })
    const at = desk.task(one).cancel_requested_at
    await desk.advance(2000)
    expect(codeOf(await desk.ask('task.cancel', { task_id: one }))).toBe('ok')
    expect(desk.task(one).cancel_requested_at).toBe(at)
    await desk.report('d1', `${two}-1`, 'succeeded', { exit_code: 0 })
    const refusal = await desk.ask('task.cancel', { task_id: two })
    expect([codeOf(refusal), detailsOf(refusal)]).toEqual(['conflict', ['task_id:terminal_state']])
    expect(desk.task(two).state).toBe('succeeded')
  })
})

describe('task.retry', () => {
  test('makes a new task of one that has ended, and refuses one that has not', async () => {
    const desk = await startDesk()
    const id = await desk.submit({ tags: ['x'], idempotency_key: 'k' })
    expect(codeOf(await desk.ask('task.retry', { task_id: id }))).toBe('conflict')
    await desk.ask('task.cancel', { task_id: id })
    const next = outputOf(await desk.ask('task.retry', { task_id: id }))
    expect(next).toMatchObject({ state: 'queued', attempt: 0, tags: ['x'], retry_of: id })
    expect(next['idempotency_key']).toBeUndefined()
    expect(desk.task(id).state).toBe('cancelled')
  })
})

describe('createOperations()', () => {
  test('roles: a viewer only reads, a device and an unknown subject ask for nothing; a refusal is known as an audit event', async () => {
    const desk = await startDesk()
    expect(codeOf(await desk.ask('task.list', {}, 'victor'))).toBe('ok')
    for (const subject of ['victor', 'd1', 'nobody'])
      expect(codeOf(await desk.ask('task.submit', { payload: { command: 'x' } }, subject, 'mqtt'))).toBe('forbidden')
    expect(codeOf(await desk.ask('task.list', {}, 'd1'))).toBe('forbidden')
    await desk.advance(10)
    expect(desk.wire.sent.filter((one) => one.topic.endsWith('event/audit')).length).toBe(4)
    expect(desk.store.tasks.counts()).toEqual({})
  })

  test('an unknown operation gets an answer with what may have been meant', async () => {
    const desk = await startDesk()
    const outcome = await desk.ask('task.submti', {})
    expect(codeOf(outcome)).toBe('unknown_operation')
    expect(outcome.ok ? '' : outcome.error.message).toContain('"task.submit"')
    for (const name of ['constructor', '__proto__', 'toString'])
      expect(codeOf(await desk.ask(name, {}))).toBe('unknown_operation')
  })
})
