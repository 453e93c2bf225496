import { describe, expect, test } from 'vitest'
import { expectedEndAt } from '../../controller/core/rollout/forecast.ts'
import { playRollout } from './rollout-play.ts'

const orders = ['pause', 'resume', 'cancel', 'cancel_and_rollback', 'rollback'] as const

describe('order()', () => {
  test('pause begins no further device; those that have begun come to their end; resume goes on', () => {
    const play = playRollout('abc', { batch: 1 })
    play.look()
    expect(play.order('pause')).toBe('paused')
    expect([play.heal('a'), play.states]).toEqual(['', 'a healthy, b pending, c pending'])
    expect(play.rollout).toMatchObject({ reason: 'paused by ann', pausedFrom: 'in_progress' })
    expect([play.order('resume'), play.look(), play.rollout.reason]).toEqual(['in_progress', '+b', 'resumed by ann'])
  })

  test('too many failures end it while it is paused too', () => {
    const play = playRollout('ab', { batch: 2 })
    play.look()
    play.order('pause')
    play.say('a', 'failed', 'exited with 1')
    expect([play.look(), play.rollout.state]).toEqual(['-a -b', 'rolling_back'])
  })

  test('a rollback can be paused, and stays one', () => {
    const play = playRollout('ab', { batch: 1, max_unavailable: 1 })
    play.look()
    play.heal('a')
    play.heal('b')
    play.order('rollback')
    expect(play.look()).toBe('-a')
    expect(play.order('pause')).toBe('paused')
    play.sayBack('a', 'healthy')
    expect([play.look(), play.states]).toEqual(['', 'a rolled_back, b healthy'])
    expect(play.order('cancel')).toBe('Cannot cancel deployment d1: it is rolling back, which comes to its end by itself')
    expect([play.order('resume'), play.rollout.reason, play.look()]).toEqual(['rolling_back', 'rolled back by ann', '-b'])
  })

  test('cancel leaves what is done, and installs nothing more', () => {
    const play = playRollout('abc', { batch: 2 })
    play.look()
    play.heal('a')
    expect([play.order('cancel'), play.look()]).toEqual(['cancelled', ''])
    expect(play.states).toBe('a healthy, b deploying, c skipped')
    expect([play.heal('b'), play.states]).toEqual(['', 'a healthy, b healthy, c skipped'])
    expect(play.rollout).toMatchObject({ state: 'cancelled', reason: 'cancelled by ann' })
  })

  test('cancel with rollback sends back what was touched', () => {
    const play = playRollout('abc', { batch: 2 })
    play.look()
    expect([play.order('cancel_and_rollback'), play.look()]).toEqual(['rolling_back', '-a -b'])
  })

  test('a rollback is possible from every end but its own; where nothing was touched it is over at once', () => {
    const play = playRollout('a')
    play.look()
    play.heal('a')
    expect([play.order('rollback'), play.look()]).toEqual(['rolling_back', '-a'])
    const untouched = playRollout('a')
    expect([untouched.order('rollback'), untouched.look(), untouched.rollout.state]).toEqual(['rolling_back', '', 'rolled_back'])
  })

  test('a second rollback tells those once more that could not go back', () => {
    const play = playRollout('ab', { batch: 2 })
    play.look()
    play.heal('ab')
    play.order('rollback')
    play.look()
    play.sayBack('a', 'healthy')
    play.sayBack('b', 'failed', 'no space')
    play.look()
    expect(play.rollout.state).toBe('failed')
    expect([play.order('rollback'), play.look(), play.rollout.state]).toEqual(['rolling_back', '-b', 'rolling_back'])
    play.sayBack('b', 'healthy')
    play.look()
    expect([play.rollout.state, play.states]).toEqual(['rolled_back', 'a rolled_back, b rolled_back'])
  })

  test('an order that comes twice changes nothing the second time', () => {
    for (const what of orders) {
      const play = playRollout('ab', { batch: 2 })
      play.look()
      play.order(what)
      const once = play.rollout
      play.order(what)
      expect(play.rollout).toBe(once)
    }
  })

  test('what is over is not paused, resumed or cancelled, and it says why', () => {
    const play = playRollout('a')
    play.look()
    play.heal('a')
    expect(
      ['pause', 'resume', 'cancel', 'cancel_and_rollback'].map((what) => play.order(what as (typeof orders)[number])),
    ).toEqual([
      'Cannot pause deployment d1: it is completed already',
      'Cannot resume deployment d1: it is completed, and no device is held back',
      'Cannot cancel deployment d1: it is completed already',
      'Cannot cancel and roll back deployment d1: it is completed already; it can be rolled back',
    ])
  })
})

describe('expectedEndAt()', () => {
  const expected = (play: ReturnType<typeof playRollout>, at: number) => {
    const end = expectedEndAt(play.rollout, at * 1000)
    return end === null ? null : end / 1000
  }

  test('knows nothing before the first device has come to its end, and after the end', () => {
    const play = playRollout('ab')
    play.look(0)
    expect(expected(play, 5)).toBe(null)
    play.heal('a', 10)
    expect(expected(play, 10)).toBe(20)
    play.heal('b', 15)
    expect(expected(play, 15)).toBe(null)
  })

  test('goes on as it did: the batches to come, and the rests between them; who is away takes no time', () => {
    const play = playRollout('abcde', { pause_seconds: 5 }, { away: 'e' })
    play.look(0)
    play.heal('a', 10)
    // b from 15 to 25, c from 30 to 40, d from 45 to 55
    expect([expected(play, 10), expected(play, 14)]).toEqual([55, 55])
    play.look(15)
    expect([expected(play, 15), expected(play, 100)]).toEqual([55, 130])
  })
})
