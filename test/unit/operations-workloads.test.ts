import { beforeEach, describe, expect, test } from 'vitest'
import type { Outcome } from '../../schemas/errors.ts'
import type { Verb } from '../../schemas/exchange.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'
import { workloadNamed } from './workload-status.ts'

let desk: Desk
beforeEach(async () => {
  desk = await startDesk()
  await desk.hello('d1')
  await desk.say('skein/v1/default/device/d1/state', { state: 'online', session: 1, at: '2026-01-01T00:00:00.000Z' })
})

type SkeinEvent = { type: string; subject: string; data: Record<string, unknown> }
const messagesOf = (kind: string) =>
  desk.wire.sent.filter((one) => one.topic.endsWith(`/event/${kind}`)).map((one) => JSON.parse(one.text) as SkeinEvent[])
const eventsOf = (kind: string) => messagesOf(kind).flat()

/** Asks without waiting for the end of it. */
const begin = async (operation: string, input: object, subject = 'admin') => {
  const asked = { outcome: undefined as Outcome<unknown> | undefined }
  void desk.controller.ask({ subject, door: 'api' }, operation, input).then((outcome) => {
    asked.outcome = outcome
  })
  await desk.advance(0)
  return asked
}
const questions = (verb: Verb) => desk.commands('d1', verb).map((one) => one.body as { request: string; workload?: string })
const lastQuestion = (verb: Verb): string => questions(verb).at(-1)?.request ?? ''
const answer = (request: string, more: object, device = 'd1') => desk.ask('device.answer', { request, ...more }, device)
const namesIn = (outcome: Outcome<unknown>) => (outputOf(outcome)['workloads'] as { name: string }[]).map((one) => one.name)
const detailOf = (outcome: Outcome<unknown> | undefined): string | undefined =>
  outcome === undefined || outcome.ok ? undefined : outcome.error.details?.[0]?.code

describe('what devices report', () => {
  test('is applied by journal and number; an old, a doubled or a foreign word changes nothing', async () => {
    await desk.reportWorkloads('d1', 2, [workloadNamed('a', { state: 'running' })])
    await desk.reportWorkloads('d1', 1, [workloadNamed('a', { state: 'starting' })])
    await desk.reportWorkloads('d1', 2, [])
    await desk.reportWorkloads('d1', 9, [], { journal: 'another' })
    await desk.reportWorkloads('d2', 1, [workloadNamed('b')])
    const outcome = await desk.ask('workload.get', { device: 'd1', workload: 'a' }, 'victor')
    expect(outputOf(outcome)).toMatchObject({ name: 'a', device: 'd1', state: 'running', device_state: 'online' })
    await desk.hello('d1', { journal: 'new', session: 2 })
    await desk.reportWorkloads('d1', 1, [workloadNamed('c')])
    expect(namesIn(await desk.ask('workload.list', {}))).toEqual(['c'])
  })

  test('an event tells of changes of state, health and count of runs, one message for one commit', async () => {
    await desk.reportWorkloads('d1', 1, [workloadNamed('a'), workloadNamed('b', { health: 'healthy' })])
    expect(messagesOf('workload').map((one) => one.length)).toEqual([2])
    await desk.reportWorkloads('d1', 2, [workloadNamed('a', { memory_mb: 9 }), workloadNamed('b', { health: 'unhealthy' })])
    await desk.reportWorkloads('d1', 3, [
      workloadNamed('b', { health: 'unhealthy', run_count: 4, state: 'backoff', reason: 'why' }),
    ])
    expect(eventsOf('workload').slice(2)).toMatchObject([
      { type: 'skein.workload.running', subject: 'd1/b', data: { device: 'd1', name: 'b', health: 'unhealthy' } },
      { type: 'skein.workload.backoff', data: { name: 'b', state: 'backoff', reason: 'why', run_count: 4 } },
      { type: 'skein.workload.removed', subject: 'd1/a', data: { name: 'a', state: 'removed' } },
    ])
    await desk.reportWorkloads('d1', 4, [], { is_partial: true })
    expect(eventsOf('workload')).toHaveLength(5)
  })

  test('a state that is not one cannot break an event', async () => {
    await desk.reportWorkloads('d1', 1, [workloadNamed('a', { state: 'x","y":"' })])
    expect(eventsOf('workload')).toMatchObject([{ type: 'skein.workload.changed', data: { state: 'x","y":"' } }])
  })

  test('figures that change all the time are shown and not stored; the rest is there after a restart, and goes with its device', async () => {
    await desk.reportWorkloads('d1', 1, [workloadNamed('a', { memory_mb: 1 })])
    await desk.reportWorkloads('d1', 2, [workloadNamed('a', { memory_mb: 2 })])
    expect(outputOf(await desk.ask('workload.get', { device: 'd1', workload: 'a' }))).toMatchObject({ memory_mb: 2 })
    expect(desk.store.reported.get('d1')).toMatchObject({ seq: 1 })
    await desk.close()
    const { store } = desk
    desk = await startDesk({ store, time: desk.time })
    expect(outputOf(await desk.ask('workload.get', { device: 'd1', workload: 'a' }))).toMatchObject({ device_state: 'offline' })
    outputOf(await desk.ask('device.remove', { device: 'd1' }))
    expect(store.reported.get('d1')).toBeNull()
    expect(namesIn(await desk.ask('workload.list', {}))).toEqual([])
  })

  test('what a commit that is undone and done again has brought is told once', async () => {
    desk.upset(0)
    await desk.reportWorkloads('d1', 1, [workloadNamed('a')])
    expect(eventsOf('workload')).toHaveLength(1)
    expect(desk.store.reported.get('d1')).toMatchObject({ seq: 1 })
  })
})

describe('workload.list', () => {
  test('by device and name; filtered; page by page', async () => {
    await desk.hello('d0', { labels: { site: 'berlin' } })
    await desk.reportWorkloads('d1', 1, [workloadNamed('b', { state: 'failed' }), workloadNamed('a', { tags: ['x'] })])
    await desk.reportWorkloads('d0', 1, [workloadNamed('a', { state: 'stopped' })])
    const list = async (input: object) =>
      (outputOf(await desk.ask('workload.list', input, 'victor'))['workloads'] as { device: string; name: string }[]).map(
        ({ device, name }) => `${device}/${name}`,
      )
    expect(await list({})).toEqual(['d0/a', 'd1/a', 'd1/b'])
    expect(await list({ device: 'd1' })).toEqual(['d1/a', 'd1/b'])
    expect(await list({ name: 'a' })).toEqual(['d0/a', 'd1/a'])
    expect(await list({ state: 'failed,stopped' })).toEqual(['d0/a', 'd1/b'])
    expect(await list({ tag: 'x' })).toEqual(['d1/a'])
    expect(await list({ selector: 'site=berlin' })).toEqual(['d0/a'])
    const first = outputOf(await desk.ask('workload.list', { limit: 2 }))
    expect(first['cursor']).toBe('2')
    expect(await list({ limit: 2, cursor: '2' })).toEqual(['d1/b'])
    for (const input of [{ selector: '=' }, { state: 'well' }, { cursor: 'x' }])
      expect(codeOf(await desk.ask('workload.list', input))).toBe('invalid')
    expect(codeOf(await desk.ask('workload.list', { device: 'nobody' }))).toBe('not_found')
    expect(codeOf(await desk.ask('workload.get', { device: 'd1', workload: 'nothing' }))).toBe('not_found')
  })

  test('a hundred workloads with long errors come in pages that fit in a message', async () => {
    const many = Array.from({ length: 100 }, (_, i) => workloadNamed(`w${i}`, { last_error: 'e'.repeat(900) }))
    await desk.reportWorkloads('d1', 1, many)
    const { workloads, cursor } = outputOf(await desk.ask('workload.list', { limit: 1000 }))
    expect(Buffer.byteLength(JSON.stringify(workloads))).toBeLessThan(120 * 1024)
    expect(Number(cursor)).toBeGreaterThan(10)
  })
})

describe('what devices are asked', () => {
  test('goes as a signed command, is answered by the device, and audited with who, what, where and the result', async () => {
    for (const verb of ['start', 'stop', 'restart'] as const) {
      const asked = await begin(`workload.${verb}`, { device: 'd1', workload: 'a' }, 'olga')
      expect(questions(verb)).toEqual([{ request: expect.any(String), workload: 'a' }])
      expect(asked.outcome).toBeUndefined()
      expect(codeOf(await answer(lastQuestion(verb), { ok: true, output: workloadNamed('a') }))).toBe('ok')
      await desk.advance(0)
      expect(asked.outcome).toMatchObject({ ok: true, output: { name: 'a', device: 'd1' } })
      expect(eventsOf('audit').at(-1)).toMatchObject({
        type: `skein.audit.workload_${verb}`,
        subject: 'olga',
        data: { subject: 'olga', operation: `workload.${verb}`, device: 'd1', workload: 'a', result: 'done' },
      })
    }
    const reload = await begin('workload.reload', { device: 'd1' })
    await answer(lastQuestion('reload'), { ok: true, output: { added: ['x'], removed: [], restarted: [], unchanged: [] } })
    await desk.advance(0)
    expect(reload.outcome).toMatchObject({ ok: true, output: { device: 'd1', added: ['x'] } })
    for (const verb of ['start', 'stop', 'restart', 'reload'])
      expect(codeOf(await desk.ask(`workload.${verb}`, { device: 'd1', workload: 'a' }, 'victor'))).toBe('forbidden')
  })

  test('a page of a log is read by a viewer, with all that was asked for, and is no matter for the audit', async () => {
    const asked = await begin('workload.logs', { device: 'd1', workload: 'a', after: '3', follow_seconds: 60 }, 'victor')
    expect(questions('logs')).toEqual([{ request: expect.any(String), workload: 'a', after: 3, limit: 1000, follow_seconds: 60 }])
    const page = { workload: 'a', records: [[4, 0, 'o', 'x']], next: 4, first: 1, last: 4 }
    await answer(lastQuestion('logs'), { ok: true, output: page })
    await desk.advance(0)
    expect(asked.outcome).toMatchObject({ ok: true, output: { ...page, device: 'd1' } })
    expect(eventsOf('audit')).toEqual([])
  })

  test('the last runs are read by a viewer', async () => {
    const asked = await begin('workload.history', { device: 'd1', workload: 'a', limit: '2' }, 'victor')
    expect(questions('history')).toEqual([{ request: expect.any(String), workload: 'a', limit: 2 }])
    const run = {
      ...{ run_id: 'd1-1', workload: 'a', cause: 'start', slot: null, state: 'failed', reason: 'exited with 3', exit_code: 3 },
      ...{ signal: null, started_at: '2026-01-01T00:00:00.000Z', ended_at: '2026-01-01T00:00:01.000Z', duration_seconds: 1 },
    }
    await answer(lastQuestion('history'), { ok: true, output: { workload: 'a', runs: [run] } })
    await desk.advance(0)
    expect(asked.outcome).toMatchObject({ ok: true, output: { device: 'd1', workload: 'a', runs: [run] } })
    expect(eventsOf('audit')).toEqual([])
    for (const limit of [0, 201])
      expect(codeOf(await desk.ask('workload.history', { device: 'd1', workload: 'a', limit }))).toBe('invalid')
  })

  test('a shell is for admins; who asks is the word of the controller; that it is opened and ends is on record, once, and no more', async () => {
    const step = { device: 'd1', workload: 'a' }
    const told = { session: 's', output: '', next: 0, has_ended: false, exit_code: null }
    for (const subject of ['olga', 'victor']) expect(codeOf(await desk.ask('workload.shell', step, subject))).toBe('forbidden')
    expect(codeOf(await desk.ask('workload.shell', { ...step, by: 'olga' }))).toBe('invalid')
    const before = eventsOf('audit').length
    const through = async (more: object, output: object) => {
      const all = [await begin('workload.shell', { ...step, ...more }), await begin('workload.shell', { ...step, ...more })]
      await answer(lastQuestion('shell'), { ok: true, output: { ...told, ...output } })
      await desk.advance(0)
      return all[0]?.outcome
    }
    expect(await through({ idempotency_key: 'o' }, {})).toMatchObject({ ok: true, output: { device: 'd1', session: 's' } })
    expect(questions('shell')).toEqual([
      { request: expect.any(String), by: 'admin', workload: 'a', after: 0, wait_seconds: 0, term: 'dumb' },
    ])
    await through({ session: 's', write: 'bHMK', idempotency_key: 'w' }, {})
    await through({ session: 's', end: true, idempotency_key: 'e' }, { has_ended: true, exit_code: 129 })
    expect(eventsOf('audit').slice(before)).toMatchObject(
      ['open', 'end'].map((action) => ({
        type: 'skein.audit.workload_shell',
        data: {
          subject: 'admin',
          operation: 'workload.shell',
          device: 'd1',
          workload: 'a',
          session: 's',
          action,
          result: 'done',
        },
      })),
    )
  })

  test('a question that waits has its wait on top of the time to answer', async () => {
    const asked = await begin('workload.shell', { device: 'd1', workload: 'a', session: 's', wait_seconds: 20 })
    await desk.advance(29_900)
    expect(asked.outcome).toBeUndefined()
    await desk.advance(200)
    expect(detailOf(asked.outcome)).toBe('no_answer')
  })

  test('is asked again every 2 s under the same request, and refused as unavailable when nobody answers', async () => {
    const asked = await begin('workload.restart', { device: 'd1', workload: 'a' })
    await desk.advance(9_900)
    expect(questions('restart').length).toBe(5)
    expect(new Set(questions('restart').map((one) => one.request)).size).toBe(1)
    expect(new Set(desk.commands('d1', 'restart').map((one) => one.id)).size).toBe(5)
    expect(asked.outcome).toBeUndefined()
    await desk.advance(200)
    expect(asked.outcome).toMatchObject({ ok: false, error: { code: 'unavailable', retryable: true } })
    expect(detailOf(asked.outcome)).toBe('no_answer')
    expect(asked.outcome?.ok === false && asked.outcome.error.message).toContain('not known')
    expect(eventsOf('audit').map((one) => one.data['result'] ?? one.data['code'])).toEqual(['no_answer', 'unavailable'])
    // Too late is no news, and no offence.
    expect(codeOf(await answer(lastQuestion('restart'), { ok: true, output: workloadNamed('a') }))).toBe('ok')
    const short = await begin('workload.stop', { device: 'd1', workload: 'a', timeout_seconds: 1 })
    await desk.advance(1100)
    expect(detailOf(short.outcome)).toBe('no_answer')
  })

  test('a device that is offline is not asked, and it is said since when', async () => {
    await desk.say('skein/v1/default/device/d1/state', { state: 'offline', session: 1, at: '2026-01-01T00:00:00.000Z' })
    const outcome = await desk.ask('workload.stop', { device: 'd1', workload: 'a' })
    expect(outcome).toMatchObject({ ok: false, error: { code: 'unavailable', details: [{ code: 'offline' }] } })
    expect(outcome.ok ? '' : outcome.error.message).toMatch(/offline since \d{4}-/)
    expect(questions('stop')).toEqual([])
    expect(codeOf(await desk.ask('workload.stop', { device: 'nobody', workload: 'a' }))).toBe('not_found')
  })

  test('a device that comes back while it is asked answers in its new session', async () => {
    const asked = await begin('workload.stop', { device: 'd1', workload: 'a' })
    await desk.hello('d1', { session: 2, nonce: 'second' })
    await desk.advance(2100)
    expect(desk.commands('d1', 'stop').at(-1)).toMatchObject({ nonce: 'second' })
    await answer(lastQuestion('stop'), { ok: true, output: workloadNamed('a') })
    await desk.advance(0)
    expect(asked.outcome?.ok).toBe(true)
  })

  test('only the device that was asked can answer', async () => {
    const row = { role: 'device', hash: '', expires_at: desk.time.now() + 1e12, revoked_at: null, last_used_at: null, key: '' }
    desk.store.tokens.put({ ...row, jti: 'd2', subject: 'd2', created_at: 0 })
    await desk.hello('d2')
    const asked = await begin('workload.stop', { device: 'd1', workload: 'a' })
    const foreign = await answer(lastQuestion('stop'), { ok: true, output: workloadNamed('a') }, 'd2')
    expect(codeOf(foreign)).toBe('forbidden')
    expect(codeOf(await answer(lastQuestion('stop'), { ok: true }, 'admin'))).toBe('forbidden')
    expect(asked.outcome).toBeUndefined()
    await answer(lastQuestion('stop'), { ok: false, error: { code: 'not_found', message: 'no such', retryable: false } })
    await desk.advance(0)
    expect(asked.outcome).toMatchObject({ ok: false, error: { code: 'not_found', message: 'no such' } })
  })

  test('an answer that is not what was promised is told as such', async () => {
    for (const more of [{ ok: true, output: { name: 'a' } }, { ok: true }, { ok: false }]) {
      const asked = await begin('workload.stop', { device: 'd1', workload: 'a' })
      await answer(lastQuestion('stop'), more)
      await desk.advance(0)
      expect([more, asked.outcome && codeOf(asked.outcome)]).toEqual([more, 'internal'])
    }
  })

  test('with a key it is the same request, also after it was given up, and for nobody else', async () => {
    const input = { device: 'd1', workload: 'a', idempotency_key: 'k' }
    const both = [await begin('workload.restart', input), await begin('workload.restart', input)]
    expect(questions('restart')).toHaveLength(1)
    await answer(lastQuestion('restart'), { ok: true, output: workloadNamed('a') })
    await desk.advance(0)
    expect(both.map((one) => one.outcome?.ok)).toEqual([true, true])
    await begin('workload.restart', input)
    await begin('workload.restart', { ...input, workload: 'b' })
    await begin('workload.restart', input, 'olga')
    await begin('workload.restart', { device: 'd1', workload: 'a' })
    const asked = questions('restart').map((one) => one.request)
    expect(asked[1]).toBe(asked[0])
    expect(new Set(asked).size).toBe(4)
  })

  test('one device is asked so much at a time, and no more', async () => {
    for (let i = 0; i < 64; i++) await begin('workload.stop', { device: 'd1', workload: `w${i}` })
    expect(detailOf(await desk.ask('workload.stop', { device: 'd1', workload: 'a' }))).toBe('busy')
  })

  test('the end of the controller ends what waits', async () => {
    const asked = await begin('workload.stop', { device: 'd1', workload: 'a' })
    await desk.close()
    await desk.advance(0)
    expect(detailOf(asked.outcome)).toBe('no_answer')
  })
})
