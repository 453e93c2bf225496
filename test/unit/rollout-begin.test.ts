import { describe, expect, test } from 'vitest'
import { beginRollout } from '../../controller/core/rollout/begin.ts'
import { batchesOf, countsOf } from '../../controller/core/rollout/counts.ts'
import { countOfShare } from '../../controller/core/rollout/share.ts'
import { Strategy } from '../../schemas/deployment.ts'
import { playRollout, type StrategyInput } from './rollout-play.ts'

const begun = (names: string, strategy: StrategyInput, away = '', hasIt = '') =>
  beginRollout(
    [...names].map((device) => ({ device, labels: {}, isConnected: !away.includes(device), hasIt: hasIt.includes(device) })),
    Strategy.parse(strategy),
    'd1',
    'new',
    0,
  )
const batchesIn = (rollout: ReturnType<typeof begun>) => rollout.devices.map(({ device, batch }) => `${device}${batch}`).join(' ')

describe('beginRollout()', () => {
  test('by default one after the other, by name, with no canary', () => {
    expect(batchesIn(begun('cab', {}))).toBe('a1 b2 c3')
  })

  test('who is connected goes first, then by name; the canary comes before all batches', () => {
    expect(batchesIn(begun('abcdef', { batch: 2, canary: 1 }, 'ab'))).toBe('c0 d1 e1 f2 a2 b3')
  })

  test('a batch is a count or a share of all, rounded down, but at least one device', () => {
    expect(batchesIn(begun('abcdefg', { batch: '30%' }))).toBe('a1 b1 c2 d2 e3 f3 g4')
    expect(batchesIn(begun('abc', { batch: '1%' }))).toBe('a1 b2 c3')
    expect(batchesIn(begun('abc', { batch: '100%' }))).toBe('a1 b1 c1')
    expect([countOfShare('10%', 25), countOfShare('3', 25), countOfShare(7, 5)]).toEqual([2, 3, 7])
  })

  test('a canary of more than all is one batch', () => {
    expect(batchesIn(begun('ab', { canary: 5 }))).toBe('a0 b0')
  })

  test('who runs it already is skipped, has no batch, and stands at the end', () => {
    const rollout = begun('abc', {}, '', 'a')
    expect(batchesIn(rollout)).toBe('b1 c2 anull')
    expect(rollout.devices[2]).toMatchObject({ state: 'skipped', reason: 'runs this release already', endedAt: 0 })
    expect([batchesOf(rollout), countsOf(rollout)]).toEqual([2, { pending: 2, skipped: 1 }])
  })

  test('where all run it already it is completed at the first look', () => {
    const play = playRollout('ab', {}, { hasIt: 'ab' })
    expect([play.look(), play.rollout.state]).toEqual(['', 'completed'])
  })
})
