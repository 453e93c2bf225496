import { describe, expect, test } from 'vitest'
import { playRollout } from './rollout-play.ts'

describe('max_unavailable', () => {
  test('holds back what would be one too many, within a batch', () => {
    const play = playRollout('abcd', { batch: 4, max_unavailable: 2 })
    expect([play.look(), play.heal('a'), play.heal('b'), play.heal('cd')]).toEqual(['+a +b', '+c', '+d', ''])
    expect(play.rollout.state).toBe('completed')
  })

  test('is a share of all, at least one device', () => {
    expect(playRollout('abcdef', { batch: 6, max_unavailable: '50%' }).look()).toBe('+a +b +c')
    expect(playRollout('abcdef', { batch: 6, max_unavailable: '1%' }).look()).toBe('+a')
  })

  test('counts for each group of a label, those without it being a group too', () => {
    const play = playRollout('abcdef', { batch: 6, max_unavailable: 1, max_unavailable_per: 'site' })
    for (const [name, site] of Object.entries({ a: 'ulm', b: 'ulm', c: 'jena', d: 'jena' })) play.of(name).labels = { site }
    expect([play.look(), play.heal('a'), play.heal('e')]).toEqual(['+a +c +e', '+b', '+f'])
  })

  test('who is away counts until the progress deadline is over: nobody waits for a dead device for ever', () => {
    const play = playRollout('abc', { max_unavailable: 1, progress_deadline_seconds: 100 }, { away: 'c' })
    expect(play.look()).toBe('')
    expect(play.rollout.reason).toBe('waits: max_unavailable is 1, and so many devices are without the release in good health')
    expect(play.nextLook).toBe(85)
    expect([play.look(84.999), play.look(85)]).toEqual(['', '+a'])
  })

  test('who is back counts no more, and who goes again does', () => {
    const play = playRollout('abc', { max_unavailable: 1 }, { away: 'c' })
    play.look()
    play.back('c')
    expect(play.look(5)).toBe('+a')
    play.go('c')
    expect(play.heal('a', 10)).toBe('')
    play.back('c')
    expect(play.look(12)).toBe('+b')
  })

  test('who has become unhealthy counts, but not when it is away for long', () => {
    const play = playRollout('abc', { max_unavailable: 1, progress_deadline_seconds: 100, max_failures: 1 })
    play.look()
    expect(play.heal('a')).toBe('+b')
    play.say('a', 'unhealthy')
    expect(play.heal('b', 10)).toBe('')
    play.go('a')
    expect([play.look(20), play.nextLook, play.look(119), play.look(120)]).toEqual(['', 120, '', '+c'])
  })

  test('what has failed never comes back: when it takes all the room there is, the rollout ends', () => {
    const play = playRollout('abc', { max_unavailable: 1, max_failures: 3 })
    play.look()
    play.say('a', 'failed', 'exited with 1')
    expect(play.look()).toBe('-a')
    expect(play.rollout).toMatchObject({
      state: 'rolling_back',
      reason: 'no further device may begin: max_unavailable is 1, and so many devices are without the release in good health',
    })
  })

  test('it holds on the way back too: first who is without good health anyway, then the others as there is room', () => {
    const play = playRollout('abcde', { batch: 5, canary: 3, max_unavailable: 2 })
    play.look()
    play.heal('ab')
    play.heal('c')
    expect(play.states).toBe('a healthy, b healthy, c healthy, d deploying, e deploying')
    play.say('d', 'failed', 'exited with 1')
    expect(play.look()).toBe('-d -e')
    expect(play.states).toBe('a healthy, b healthy, c healthy, d rolling_back, e rolling_back')
    play.sayBack('d', 'healthy')
    expect(play.look()).toBe('-a')
    play.sayBack('ae', 'healthy')
    expect(play.look()).toBe('-b -c')
    play.sayBack('bc', 'healthy')
    play.look()
    expect(play.rollout.state).toBe('rolled_back')
  })

  test('a rollback comes to its end though there is no room: then one at a time', () => {
    const play = playRollout('abc', { batch: 1, max_unavailable: 1 })
    play.look()
    play.heal('a')
    play.heal('b')
    play.say('c', 'failed', 'exited with 1')
    expect(play.look()).toBe('-c')
    play.sayBack('c', 'failed', 'no space')
    expect(play.look()).toBe('-a')
    play.sayBack('a', 'healthy')
    expect(play.look()).toBe('-b')
    play.sayBack('b', 'healthy')
    play.look()
    expect(play.rollout).toMatchObject({
      state: 'failed',
      reason: '1 device could not be rolled back: c could not go back to what it had: no space',
    })
  })
})
