import { expect, test } from 'vitest'
import { createPermissions } from '../../device/agents/permissions.ts'
import type { Approve } from '../../schemas/agent.ts'
import { clockOf, createTime } from '../simulation/sim-clock.ts'

const call = { id: 'c1', tool: 'developer__shell', title: 'shell · rm -rf /tmp/x', input: { command: 'rm -rf /tmp/x' } }

const desk = (approve: Approve) => {
  const time = createTime()
  const seen: string[] = []
  const waits: boolean[] = []
  const permissions = createPermissions({
    ...{ run: 'r-1', approve, expiresMs: 60_000, clock: clockOf(time, { isDead: false, wallOffsetMs: 0 }) },
    changed: (_, change) => seen.push(`${change.approval} ${change.state}${change.by ? ` ${change.by}` : ''}`),
    waits: (isWaiting) => waits.push(isWaiting),
  })
  return { permissions, seen, waits, pass: (ms: number) => letPass(time, ms) }
}
const letPass = (time: ReturnType<typeof createTime>, ms: number): void => {
  const until = time.now() + ms
  while (time.step(until));
}
const answer = { approval: 'r-1-a1', by: 'admin', reason: null }

test.each([
  ['none', false],
  ['tools', true],
  [{ matching: ['shell'] }, true],
  [{ matching: ['developer__*'] }, true],
  [{ matching: ['*rm -rf*'] }, true],
  [{ matching: ['write*', 'shel'] }, false],
  [{ matching: ['s.*'] }, false],
] as const)('%j asks: %s', async (approve, asks) => {
  const { permissions, seen } = desk(approve as Approve)
  const verdict = permissions.ask(call)
  expect(seen).toEqual(asks ? ['r-1-a1 pending'] : [])
  if (!asks) expect(await verdict).toBe('allow')
})

test('the first answer counts, and is told with who gave it', async () => {
  const { permissions, seen, waits } = desk('tools')
  const verdict = permissions.ask(call)
  permissions.answer({ ...answer, verdict: 'approved' })
  permissions.answer({ ...answer, verdict: 'rejected' })
  expect([await verdict, seen, waits]).toEqual(['allow', ['r-1-a1 pending', 'r-1-a1 approved admin'], [true, false]])
})

test('without an answer it is no, at its time and not before', async () => {
  const { permissions, seen, pass } = desk('tools')
  const verdict = permissions.ask(call)
  pass(59_999)
  expect(seen).toHaveLength(1)
  pass(1)
  expect([await verdict, seen[1]]).toEqual(['reject', 'r-1-a1 expired'])
  permissions.answer({ ...answer, verdict: 'approved' })
  expect(seen).toHaveLength(2)
})

test('several wait at once, each for its own answer; the end of the run takes back the others', async () => {
  const { permissions, seen, waits } = desk('tools')
  const both = [permissions.ask(call), permissions.ask({ ...call, id: 'c2' })]
  permissions.answer({ ...answer, approval: 'r-1-a2', verdict: 'rejected' })
  expect(waits.at(-1)).toBe(true)
  permissions.withdraw()
  expect(await Promise.all(both)).toEqual(['cancelled', 'reject'])
  expect(seen).toEqual(['r-1-a1 pending', 'r-1-a2 pending', 'r-1-a2 rejected admin', 'r-1-a1 withdrawn'])
})
