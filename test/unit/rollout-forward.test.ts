import { describe, expect, test } from 'vitest'
import { playRollout } from './rollout-play.ts'

describe('batches', () => {
  test('the devices of a batch begin together, the next batch when all of them are healthy', () => {
    const play = playRollout('abcd', { batch: 2 })
    expect(play.look()).toBe('+a +b')
    expect(play.rollout).toMatchObject({ state: 'in_progress', batch: 1, startedAt: 0 })
    expect(play.heal('a')).toBe('')
    expect(play.heal('b')).toBe('+c +d')
    expect(play.rollout.batch).toBe(2)
    play.heal('cd', 7)
    expect(play.rollout).toMatchObject({ state: 'completed', reason: null, endedAt: 7000 })
    expect(play.states).toBe('a healthy, b healthy, c healthy, d healthy')
  })

  test('the canary goes alone', () => {
    const play = playRollout('abc', { batch: 10, canary: 1 })
    expect([play.look(), play.rollout.batch, play.heal('a')]).toEqual(['+a', 0, '+b +c'])
  })

  test('between batches it rests, from the end of one to the begin of the next, and not after the last', () => {
    const play = playRollout('ab', { pause_seconds: 20 })
    play.look()
    expect(play.heal('a', 5)).toBe('')
    expect([play.rollout.reason, play.nextLook]).toEqual(['rests for 20 s before batch 2', 25])
    expect([play.look(24.999), play.look(25), play.rollout.reason]).toEqual(['', '+b', null])
    play.heal('b', 30)
    expect(play.rollout.state).toBe('completed')
  })

  test('after a batch in which nobody was there it does not rest', () => {
    const play = playRollout('abc', { pause_seconds: 3600 }, { away: 'c' })
    play.look()
    play.heal('a')
    play.heal('b', 3600)
    expect(play.states).toBe('a healthy, b healthy, c pending')
    play.look(7200)
    expect([play.states, play.rollout.state]).toEqual(['a healthy, b healthy, c deferred', 'completed'])
  })

  test('no batch begins while one of the last is unhealthy again; when it stays so it has failed', () => {
    const play = playRollout('abc', { pause_seconds: 10, max_failures: 1, health_timeout_seconds: 60 })
    play.look()
    play.heal('a')
    play.say('a', 'unhealthy', 'cam crashed')
    expect([play.look(5), play.look(10), play.nextLook]).toEqual(['', '', 65])
    expect(play.heal('a', 20)).toBe('+b')
    play.say('a', 'unhealthy', 'cam crashed')
    play.look(30)
    expect([play.look(89.999), play.device('a').state]).toEqual(['', 'healthy'])
    play.look(90)
    expect(play.device('a')).toMatchObject({ state: 'failed', reason: 'was healthy, then unhealthy for 60 s: cam crashed' })
  })
})

describe('thresholds', () => {
  test('one more failed device than max_failures ends it; as many as that do not', () => {
    const play = playRollout('abcd', { max_failures: 1, auto_rollback: false })
    play.look()
    play.say('a', 'failed', 'exited with 1')
    expect(play.look()).toBe('+b')
    play.say('b', 'failed', 'exited with 2')
    expect(play.look()).toBe('')
    expect(play.rollout).toMatchObject({
      state: 'failed',
      reason: '2 devices failed, and max_failures is 1: a exited with 1',
    })
    expect(play.states).toBe('a failed, b failed, c skipped, d skipped')
    expect(play.device('c').reason).toBe('the deployment failed before its turn')
  })

  test('failures within tolerance: completed, and it says how many', () => {
    const play = playRollout('ab', { max_failures: 1 })
    play.look()
    play.say('a', 'failed', 'exited with 1')
    play.look()
    play.heal('b')
    expect(play.rollout).toMatchObject({ state: 'completed', reason: '1 device failed' })
    expect(play.device('a')).toMatchObject({ state: 'failed', reason: 'exited with 1' })
  })

  test('the share of failures counts from the end of the first batch on', () => {
    const play = playRollout('abcdef', { batch: 3, max_failures: 6, max_failure_ratio: 0.4, auto_rollback: false })
    play.look()
    play.say('ab', 'failed', 'exited with 1')
    play.look()
    expect(play.rollout.state).toBe('in_progress')
    expect(play.heal('c')).toBe('')
    expect(play.rollout).toMatchObject({
      state: 'failed',
      reason: '2 of 3 devices failed, and max_failure_ratio is 0.4: a exited with 1',
    })
  })

  test('a share that is just reached does not end it, and one of 0 ends it with the first failure', () => {
    const ends = (ratio: number) => {
      const play = playRollout('abcd', { batch: 2, max_failures: 4, max_failure_ratio: ratio, auto_rollback: false })
      play.look()
      play.say('a', 'failed', 'exited with 1')
      play.heal('b')
      return play.rollout.state
    }
    expect([ends(0.5), ends(0.49), ends(0)]).toEqual(['in_progress', 'failed', 'failed'])
  })

  test('where the release cannot go a device fails before anything is told to it, or to the others of its batch', () => {
    const play = playRollout('abc', { batch: 3 })
    play.of('b').blockedBy = 'its workload "cam" belongs to cams@1'
    expect(play.look()).toBe('')
    expect(play.rollout.state).toBe('rolled_back')
    expect(play.device('b')).toMatchObject({ state: 'failed', isTouched: false, reason: 'its workload "cam" belongs to cams@1' })
    expect(play.states).toBe('a skipped, b failed, c skipped')
  })

  test('within tolerance the others get it all the same', () => {
    const play = playRollout('abc', { batch: 3, max_failures: 1 })
    play.of('b').blockedBy = 'its workload "cam" belongs to cams@1'
    expect(play.look()).toBe('+a +c')
  })
})
