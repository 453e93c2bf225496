import { describe, expect, test } from 'vitest'
import { startClocksAnew } from '../../controller/core/rollout/clocks.ts'
import { type DeviceEvent, deviceTransition } from '../../controller/core/rollout/device-transition.ts'
import type { RolloutDevice } from '../../controller/core/rollout/rollout.ts'
import { deploymentDeviceStates } from '../../schemas/deployment.ts'
import { playRollout } from './rollout-play.ts'

describe('a device that is told to run the release', () => {
  test('is deploying until it runs it, then deployed, then healthy; what it says of another deployment is not heard', () => {
    const play = playRollout('a')
    play.sayBack('a', 'healthy')
    play.look(1)
    expect(play.device('a')).toMatchObject({ state: 'deploying', startedAt: 1000, isTouched: true, endedAt: null })
    for (const state of ['downloading', 'unpacking', 'applying'] as const) {
      play.say('a', state)
      play.look()
      expect(play.device('a').state).toBe('deploying')
    }
    play.say('a', 'settling')
    play.look(5)
    expect(play.device('a')).toMatchObject({ state: 'deployed', movedAt: 5000 })
    play.heal('a', 15)
    expect(play.device('a')).toMatchObject({ state: 'healthy', endedAt: 15_000, reason: null })
  })

  test('is healthy only with the digest of the release', () => {
    const play = playRollout('a')
    play.look()
    play.say('a', 'healthy')
    play.of('a').reported = { ...play.of('a').reported, active: { version: 'old', digest: 'old' } } as never // the rest is as it was
    play.look()
    expect(play.device('a').state).toBe('deploying')
  })

  test('fails with the reason that it gives, and when it went back by itself', () => {
    const play = playRollout('ab', { batch: 2, max_failures: 2 })
    play.look()
    play.say('a', 'failed', 'damaged')
    play.say('b', 'failed', 'exited with 1')
    const { reported } = play.of('b')
    play.of('b').reported = reported && { ...reported, went_back: true }
    play.look(3)
    expect(play.device('a')).toMatchObject({ state: 'failed', reason: 'damaged', endedAt: 3000 })
    expect(play.device('b').reason).toBe('went back by itself to what it had: exited with 1')
  })

  test('fails when it is connected and gets no further for the progress deadline', () => {
    const play = playRollout('a', { progress_deadline_seconds: 100 })
    play.look()
    play.say('a', 'downloading')
    play.look(50)
    expect([play.nextLook, play.look(149.999), play.device('a').state]).toEqual([150, '', 'deploying'])
    play.look(150)
    expect(play.device('a').reason).toBe('no progress for 100 s')
  })

  test('every byte of a download is progress; to begin the same again is not', () => {
    const play = playRollout('a', { progress_deadline_seconds: 100, max_failures: 1 })
    const download = (bytes: number): void => {
      const { reported } = play.of('a')
      play.of('a').reported = reported && { ...reported, progress: { bytes, total: 9 } }
    }
    play.look()
    play.say('a', 'downloading')
    for (let second = 90; second < 800; second += 90) {
      download(second)
      play.look(second)
    }
    for (let second = 730; second < 819; second += 10) {
      play.say('a', second % 20 === 0 ? 'downloading' : 'unpacking')
      play.look(second)
    }
    expect([play.device('a').state, play.nextLook]).toEqual(['deploying', 830])
    play.look(830)
    expect(play.device('a').state).toBe('failed')
  })

  test('is left to judge for its health timeout, however short the progress deadline', () => {
    const play = playRollout('a', { progress_deadline_seconds: 10, health_timeout_seconds: 60 })
    play.look()
    play.say('a', 'settling')
    play.look(5)
    expect([play.nextLook, play.look(94), play.device('a').state]).toEqual([95, '', 'deployed'])
    play.look(95)
    expect(play.device('a').reason).toBe('no progress for 90 s')
  })

  test('that goes away in the middle is missed for the progress deadline, then deferred, and goes on when it is back', () => {
    const play = playRollout('ab', { progress_deadline_seconds: 100 })
    play.look()
    play.say('a', 'downloading')
    play.look(10)
    play.go('a')
    expect([play.look(20), play.look(119.999)]).toEqual(['', ''])
    expect(play.look(120)).toBe('+b')
    expect(play.device('a')).toMatchObject({
      state: 'deferred',
      reason: 'is away in the middle of it: goes on when it is back',
      isTouched: true,
    })
    play.back('a')
    expect([play.look(150), play.device('a').state]).toEqual(['', 'deploying'])
    play.heal('ab', 160)
    expect(play.rollout.state).toBe('completed')
  })

  test('that comes back has the whole progress deadline again', () => {
    const play = playRollout('a', { progress_deadline_seconds: 100 })
    play.look()
    play.go('a')
    play.look(10)
    play.back('a')
    play.look(105)
    expect([play.nextLook, play.device('a').state]).toEqual([205, 'deploying'])
  })

  test('that comes and goes and gets nowhere is deferred after twice the deadline', () => {
    const play = playRollout('a', { progress_deadline_seconds: 100 })
    play.look()
    for (let second = 10; second < 200; second += 20) {
      play.go('a')
      play.look(second)
      play.back('a')
      play.look(second + 10)
    }
    play.go('a')
    play.look(205)
    expect(play.device('a').state).toBe('deferred')
  })

  test('leaves with the fleet, or with a newer deployment', () => {
    const play = playRollout('abcd', { batch: 2 })
    play.look()
    play.of('a').isMember = false
    play.of('b').supersededBy = 'd2'
    play.of('d').supersededBy = 'd2'
    expect(play.look()).toBe('+c')
    expect(play.states).toBe('a skipped, b superseded, c deploying, d superseded')
    expect([play.device('a').reason, play.device('b').reason]).toEqual(['has left the fleet', 'deployment d2 has taken it over'])
  })
})

describe('startClocksAnew()', () => {
  test('time in which nobody listened counts against nobody', () => {
    const play = playRollout('ab', { batch: 2, progress_deadline_seconds: 100 })
    play.look()
    play.go('b')
    play.look(10)
    const anew = startClocksAnew(play.rollout, 5_000_000)
    expect(anew.devices.map(({ movedAt, awaySince }) => [movedAt, awaySince])).toEqual([
      [5_000_000, null],
      [5_000_000, 5_000_000],
    ])
  })
})

describe('deviceTransition()', () => {
  const events: readonly DeviceEvent[] = [
    { kind: 'install' },
    { kind: 'arrive' },
    { kind: 'be_well' },
    { kind: 'fail', reason: 'r' },
    { kind: 'defer', reason: 'r' },
    { kind: 'let_in', reason: 'r' },
    { kind: 'return', reason: 'r' },
    { kind: 'send_back', reason: 'r' },
    { kind: 'be_back' },
    { kind: 'supersede', reason: 'r' },
    { kind: 'skip', reason: 'r' },
  ]
  const device = (about: Partial<RolloutDevice>): RolloutDevice => ({ ...playRollout('a').device('a'), ...about })

  test('superseded, skipped and rolled back are the end of it', () => {
    for (const state of ['superseded', 'skipped', 'rolled_back'] as const)
      for (const isTouched of [false, true])
        for (const event of events) {
          const one = device({ state, isTouched })
          expect(deviceTransition(one, event, 1)).toBe(one)
        }
  })

  test('only what was touched is sent back, and once; a stale event changes nothing', () => {
    for (const state of deploymentDeviceStates)
      for (const isTouched of [false, true])
        for (const isSentBack of [false, true]) {
          const one = device({ state, isTouched, isSentBack })
          const next = deviceTransition(one, { kind: 'send_back', reason: 'r' }, 1)
          if (!isTouched || isSentBack) expect(next).toBe(one)
          else if (next !== one) expect(next).toMatchObject({ state: 'rolling_back', isSentBack: true })
        }
  })
})
