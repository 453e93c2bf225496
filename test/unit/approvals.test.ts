import { beforeEach, expect, test } from 'vitest'
import { instant } from '../../schemas/ids.ts'
import { codeOf, type Desk, outputOf, startDesk } from './desk.ts'

let desk: Desk
const run = 'local-run-1'
const id = `${run}-a1`
beforeEach(async () => {
  desk = await startDesk()
  await desk.hello('d1')
})

const asks = (state: string, more: object = {}, device = 'd1') =>
  desk.report(device, run, 'running', {
    approval: {
      ...{ approval: id, state, tool: 'developer__shell', title: 'shell · rm', input: { command: 'rm' }, by: null, reason: null },
      ...{ requested_at: instant(desk.clock.now()), expires_at: instant(desk.clock.now() + 60_000) },
      ...more,
    },
  } as object)
const shown = async () => outputOf(await desk.ask('approval.get', { approval: id }))
const answers = () => desk.commands('d1', 'answer').flatMap(({ body }) => (body as { answers: object[] }).answers)
const told = () =>
  desk.wire.sent
    .filter((one) => one.topic.endsWith('/event/approval'))
    .flatMap((one) => JSON.parse(one.text).map(({ type }: { type: string }) => type))

test('an answer goes to the device again and again until that says what became of it', async () => {
  await asks('pending')
  expect(await shown()).toMatchObject({ state: 'pending', answer: null, task_id: null, input: { command: 'rm' } })
  await desk.ask('approval.approve', { approval: id, reason: 'fine' }, 'olga')
  expect(await shown()).toMatchObject({ state: 'pending', answer: 'approved', by: 'olga', reason: 'fine' })
  expect(answers()).toEqual([{ run, approval: id, verdict: 'approved', by: 'olga', reason: 'fine' }])
  await desk.advance(25_000)
  expect(answers().length).toBeGreaterThan(2)
  await asks('approved', { by: 'olga', reason: 'fine' })
  const count = answers().length
  await desk.advance(30_000)
  expect(answers()).toHaveLength(count)
  expect(await shown()).toMatchObject({ state: 'approved', by: 'olga' })
  expect(told()).toEqual(['skein.approval.pending', 'skein.approval.answered', 'skein.approval.approved'])
})

test('a device that was away gets the answer with its welcome', async () => {
  await asks('pending')
  await desk.say('skein/v1/default/device/d1/state', { state: 'offline', session: 1, at: instant(desk.clock.now()) })
  await desk.ask('approval.reject', { approval: id })
  const before = answers().length
  await desk.hello('d1', { session: 2 })
  expect(answers().length).toBe(before + 1)
})

test('what was decided is not decided again, by nobody; the same word again is no fault', async () => {
  await asks('pending')
  await desk.ask('approval.approve', { approval: id }, 'olga')
  expect(codeOf(await desk.ask('approval.approve', { approval: id }, 'olga'))).toBe('ok')
  expect(codeOf(await desk.ask('approval.reject', { approval: id }))).toBe('conflict')
  await asks('approved')
  expect(codeOf(await desk.ask('approval.reject', { approval: id }))).toBe('conflict')
  expect(codeOf(await desk.ask('approval.approve', { approval: 'nothing-a1' }))).toBe('not_found')
  expect(codeOf(await desk.ask('approval.approve', { approval: id }, 'victor'))).toBe('forbidden')
})

test('a state that has ended never changes, and another device has no say', async () => {
  await asks('pending')
  await desk.hello('d2')
  await asks('approved', {}, 'd2')
  expect(await shown()).toMatchObject({ state: 'pending' })
  await asks('expired')
  await asks('approved')
  await asks('pending')
  expect(await shown()).toMatchObject({ state: 'expired', answer: null })
})

test('the end of its run takes it back; of a device that never comes again it expires', async () => {
  await asks('pending')
  await desk.report('d1', run, 'failed')
  expect(await shown()).toMatchObject({ state: 'withdrawn' })
  await asks('pending', { approval: `${run}-a2` })
  await desk.advance(200_000)
  expect(outputOf(await desk.ask('approval.get', { approval: `${run}-a2` }))).toMatchObject({ state: 'expired' })
})

test('they are listed newest first, page by page, by state, device and task', async () => {
  for (let i = 1; i <= 5; i++) {
    await asks('pending', { approval: `${run}-a${i}` })
    await desk.advance(1000)
  }
  await asks('expired', { approval: `${run}-a3` })
  const names: string[] = []
  for (let cursor: unknown = null; ; ) {
    const page = outputOf(await desk.ask('approval.list', { limit: 2, ...(cursor === null ? {} : { cursor }) }))
    names.push(...(page['approvals'] as { approval: string }[]).map((one) => one.approval.slice(-2)))
    cursor = page['cursor']
    if (cursor === null) break
  }
  expect(names).toEqual(['a5', 'a4', 'a3', 'a2', 'a1'])
  const listed = async (input: object) => (outputOf(await desk.ask('approval.list', input))['approvals'] as unknown[]).length
  expect([await listed({ state: 'pending' }), await listed({ device: 'd2' }), await listed({ task_id: 'x' })]).toEqual([4, 0, 0])
  expect(codeOf(await desk.ask('approval.list', { cursor: 'x' }))).toBe('invalid')
})
