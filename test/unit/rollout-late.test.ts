import { describe, expect, test } from 'vitest'
import { playRollout } from './rollout-play.ts'

describe('a device that is away for its turn', () => {
  test('is deferred, holds up nothing, and gets it when it is back', () => {
    const play = playRollout('abc', {}, { away: 'b' })
    play.look()
    play.heal('a')
    play.heal('c')
    expect(play.states).toBe('a healthy, b deferred, c healthy')
    expect(play.rollout).toMatchObject({ state: 'completed', reason: '1 device is away, and gets it when it is back' })
    play.back('b')
    expect(play.look(1000)).toBe('+b')
    play.heal('b')
    expect(play.rollout).toMatchObject({ state: 'completed', reason: null })
  })

  test('when it has just gone it is waited for a moment: a broker that restarts is no end', () => {
    const play = playRollout('abc')
    play.look()
    play.go('bc')
    expect(play.heal('a', 10)).toBe('')
    expect([play.states, play.nextLook]).toEqual(['a healthy, b pending, c pending', 25])
    play.back('bc')
    expect(play.look(12)).toBe('+b')
    play.go('bc')
    play.look(20)
    play.back('b')
    play.heal('b', 30)
    expect([play.look(35), play.states]).toEqual(['', 'a healthy, b healthy, c deferred'])
  })

  test('and back before the end gets it beside the batch that has its turn, as many at a time as a batch has', () => {
    const play = playRollout('abcdefgh', { batch: 2, canary: 1 }, { away: '' })
    play.go('bcde')
    play.look()
    play.heal('a', 20)
    expect(play.states).toContain('b deferred, c deferred, d deferred, e deferred, f deploying, g deploying')
    play.back('bcde')
    expect(play.look(30)).toBe('+b +c')
    expect(play.heal('fg', 40)).toBe('+h')
    expect([play.heal('b', 50), play.heal('c', 50), play.heal('h', 55)]).toEqual(['+d', '+e', ''])
    expect(play.rollout.state).toBe('in_progress')
    play.heal('de')
    expect(play.rollout.state).toBe('completed')
  })

  test('and to which the release cannot go when it is back has failed, and the rollout is over', () => {
    const play = playRollout('ab', { max_failures: 1 })
    play.go('a')
    play.look()
    play.look(15)
    play.of('a').blockedBy = 'its workload "cam" belongs to cams@1'
    play.back('a')
    play.heal('b')
    expect([play.states, play.rollout.state]).toEqual(['a failed, b healthy', 'completed'])
  })

  test('where all are away it is completed at once, and says so', () => {
    const play = playRollout('ab', {}, { away: 'ab' })
    play.look()
    expect(play.rollout).toMatchObject({ state: 'completed', reason: '2 devices are away, and get it when they are back' })
    play.back('ab')
    expect([play.look(9), play.heal('a')]).toEqual(['+a', '+b'])
  })

  test('fails alone after the end, and goes back alone; too many of them and nobody else gets it', () => {
    const play = playRollout('abcd', { max_failures: 0 }, { away: 'bcd' })
    play.look()
    play.heal('a')
    play.back('bc')
    expect(play.look()).toBe('+b')
    play.say('b', 'failed', 'exited with 1')
    expect(play.look()).toBe('-b')
    expect(play.device('b')).toMatchObject({ state: 'rolling_back', reason: 'exited with 1' })
    expect(play.device('c')).toMatchObject({
      state: 'skipped',
      reason: 'does not get it: 1 device failed, and max_failures is 0: b exited with 1',
    })
    play.sayBack('b', 'healthy')
    play.look()
    expect(play.states).toBe('a healthy, b rolled_back, c skipped, d skipped')
    expect(play.rollout).toMatchObject({ state: 'completed', reason: '1 device failed' })
  })

  test('fails alone and stays so without auto_rollback', () => {
    const play = playRollout('ab', { auto_rollback: false }, { away: 'b' })
    play.look()
    play.heal('a')
    play.back('b')
    play.look()
    play.say('b', 'failed', 'exited with 1')
    expect([play.look(), play.states]).toEqual(['', 'a healthy, b failed'])
  })

  test('is not installed any more after a cancel', () => {
    const play = playRollout('ab', {}, { away: 'b' })
    play.look()
    play.order('cancel')
    play.back('b')
    expect([play.look(), play.device('b').reason]).toEqual(['', 'the deployment was cancelled before its turn'])
  })
})

describe('late', () => {
  const superseded = (late: string) => {
    const play = playRollout('ab', { late }, { away: 'b' })
    play.look()
    play.heal('a')
    play.of('b').supersededBy = 'd2'
    play.look()
    play.back('b')
    return play
  }

  test('apply_if_not_superseded: what is newer wins', () => {
    const play = superseded('apply_if_not_superseded')
    expect([play.look(), play.states]).toEqual(['', 'a healthy, b superseded'])
    expect(play.rollout.reason).toBe(null)
  })

  test('apply: it gets it in spite of what is newer, and keeps it until something newer still comes', () => {
    const play = superseded('apply')
    expect([play.look(), play.look(), play.device('b').state]).toEqual(['+b', '', 'deploying'])
    play.of('b').supersededBy = 'd3'
    play.look()
    expect(play.device('b').state).toBe('superseded')
  })

  test('hold: it waits until somebody resumes', () => {
    const play = playRollout('abc', { late: 'hold' }, { away: 'bc' })
    play.look()
    play.heal('a')
    expect(play.rollout.reason).toBe('2 devices were away, and get it when somebody resumes')
    play.back('b')
    expect([play.look(), play.device('b').reason]).toEqual(['', 'is back, and is held until somebody resumes'])
    expect([play.order('resume'), play.look()]).toEqual(['completed', '+b'])
    expect(play.device('c').state).toBe('deferred')
    play.heal('b')
    play.back('c')
    expect([play.look(), play.device('c').state]).toEqual(['', 'deferred'])
  })
})
