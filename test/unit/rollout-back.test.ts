import { describe, expect, test } from 'vitest'
import { playRollout } from './rollout-play.ts'

/** a and b are healthy, c has failed, d is under way, e has not had its turn. */
const broken = (strategy = {}) => {
  const play = playRollout('abcde', { batch: 2, ...strategy })
  play.look()
  play.heal('ab')
  play.say('c', 'failed', 'exited with 1')
  return play
}

describe('a rollback', () => {
  test('gives all that were touched what they had, and ends when they say so in good health', () => {
    const play = broken()
    expect(play.look(9)).toBe('-c -d -a -b')
    expect(play.rollout).toMatchObject({
      state: 'rolling_back',
      reason: '1 device failed, and max_failures is 0: c exited with 1',
      endedAt: null,
    })
    expect(play.device('c')).toMatchObject({ state: 'rolling_back', reason: 'exited with 1' })
    expect(play.device('e')).toMatchObject({ state: 'skipped', reason: 'the deployment was rolled back before its turn' })
    play.sayBack('abcd', 'settling')
    play.look()
    expect(play.rollout.state).toBe('rolling_back')
    play.sayBack('abcd', 'healthy')
    play.look(20)
    expect(play.states).toBe('a rolled_back, b rolled_back, c rolled_back, d rolled_back, e skipped')
    expect(play.rollout).toMatchObject({ state: 'rolled_back', endedAt: 20_000 })
    expect(play.device('c').reason).toBe('exited with 1')
  })

  test('does not hear what a device says before it knows of it', () => {
    const play = playRollout('a')
    play.look()
    play.sayBack('a', 'healthy')
    play.of('a').isInformed = false
    play.order('rollback')
    play.look()
    expect(play.device('a').state).toBe('rolling_back')
    play.of('a').isInformed = true
    play.look()
    expect(play.rollout.state).toBe('rolled_back')
  })

  test('is over for a device when what it had is healthy again, not before', () => {
    const play = playRollout('a')
    play.look()
    play.order('rollback')
    play.look()
    play.say('a', 'failed', 'exited with 1')
    play.look()
    expect(play.device('a').state).toBe('rolling_back')
    play.sayBack('a', 'healthy')
    const { reported } = play.of('a')
    play.of('a').reported = reported && { ...reported, state: 'settling' }
    play.look()
    expect(play.device('a').state).toBe('rolling_back')
    play.of('a').reported = reported
    play.look()
    expect(play.device('a').state).toBe('rolled_back')
  })

  test('of what was the first install ends when the device has no such release any more', () => {
    const play = playRollout('a')
    play.of('a').previousDigest = null
    play.look()
    play.of('a').previousDigest = null
    play.say('a', 'failed', 'exited with 1')
    expect(play.look()).toBe('-a')
    play.of('a').isInformed = true
    const { reported } = play.of('a')
    play.of('a').reported = reported && { ...reported, wanted: null, state: 'removing' }
    play.look()
    expect(play.rollout.state).toBe('rolling_back')
    play.of('a').reported = null
    play.look()
    expect(play.rollout.state).toBe('rolled_back')
  })

  test('does not wait for who is away: they are told at once, and are rolled back when they return', () => {
    const play = broken()
    play.go('ad')
    play.look(5)
    expect(play.states).toBe('a rolling_back, b rolling_back, c rolling_back, d rolling_back, e skipped')
    play.sayBack('bc', 'healthy')
    expect([play.look(19), play.nextLook, play.look(20)]).toEqual(['', 20, ''])
    expect(play.states).toBe('a deferred, b rolled_back, c rolled_back, d deferred, e skipped')
    expect(play.device('a').reason).toBe('is away: goes back to what it had when it returns')
    expect(play.rollout).toMatchObject({
      state: 'rolled_back',
      reason: '1 device failed, and max_failures is 0: c exited with 1; 2 devices were away, and go back on return',
    })
    play.back('a')
    expect([play.look(500), play.device('a').state]).toEqual(['', 'rolling_back'])
    play.sayBack('a', 'healthy')
    play.look(510)
    expect([play.device('a').state, play.rollout.state]).toEqual(['rolled_back', 'rolled_back'])
  })

  test('waits for one that goes in the middle of it, for the progress deadline', () => {
    const play = broken({ progress_deadline_seconds: 100 })
    play.look(5)
    play.sayBack('bcd', 'healthy')
    play.go('a')
    play.look(10)
    expect([play.nextLook, play.rollout.state]).toEqual([110, 'rolling_back'])
    play.look(110)
    expect([play.device('a').state, play.rollout.state]).toEqual(['deferred', 'rolled_back'])
  })

  test('that a device cannot do ends as failed, when the others are back', () => {
    const play = broken()
    play.look()
    play.sayBack('a', 'failed', 'no space')
    play.look()
    expect(play.rollout.state).toBe('rolling_back')
    play.sayBack('bcd', 'healthy')
    play.look()
    expect(play.states).toBe('a failed, b rolled_back, c rolled_back, d rolled_back, e skipped')
    expect(play.rollout.reason).toBe('1 device could not be rolled back: a could not go back to what it had: no space')
  })

  test('that hangs on a device fails there after the progress deadline', () => {
    const play = broken({ progress_deadline_seconds: 100 })
    play.look(5)
    play.sayBack('abc', 'healthy')
    play.look(50)
    expect([play.nextLook, play.look(105), play.rollout.state]).toEqual([105, '', 'failed'])
  })

  test('leaves alone what a newer deployment has taken over, and who has left', () => {
    const play = broken()
    play.of('a').supersededBy = 'd2'
    play.of('b').isMember = false
    expect(play.look()).toBe('-c -d')
    expect(play.states).toBe('a superseded, b skipped, c rolling_back, d rolling_back, e skipped')
  })

  test('without auto_rollback nothing goes back; who is under way goes on to its end', () => {
    const play = broken({ auto_rollback: false })
    expect([play.look(), play.rollout.state]).toEqual(['', 'failed'])
    play.heal('d')
    expect(play.states).toBe('a healthy, b healthy, c failed, d healthy, e skipped')
  })
})
