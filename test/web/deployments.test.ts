import { describe, expect, test } from 'vitest'
import { countsOf, countsText, forecastText, listText, shareText, targetText } from '../../dashboard/web/deployments/words.ts'
import { secondsOf } from '../../dashboard/web/format/spans.ts'
import { lookOf } from '../../dashboard/web/format/states.ts'
import { isGoingBack, ordersFor, whatFollows } from '../../dashboard/web/pages/deployment/consequences.ts'
import { sectionsOf, sectionTitle } from '../../dashboard/web/pages/deployment/sections.ts'
import { mergedPlan } from '../../dashboard/web/pages/device/plan.ts'
import type { DeploymentDevice, DeploymentDeviceState, DeploymentState } from '../../schemas/deployment.ts'
import type { ReportedRelease } from '../../schemas/desired.ts'
import type { OutputOf } from '../../schemas/operations.ts'

const device = (n: number, batch: number | null, state: DeploymentDeviceState, more: Partial<DeploymentDevice> = {}) =>
  ({
    ...{ device: `d${n}`, batch, state, reason: null, previous: null, started_at: null, ended_at: null, progress: null },
    ...more,
  }) as DeploymentDevice // names are of the form that devices have

describe('words of deployments', () => {
  test('forecastText() is as exact as one can know', () => {
    expect([-1000, 4000, 7000, 62_000, 89_000, 90_000, 239_000, 3 * 3600_000].map(forecastText)).toEqual([
      ...['about to end', 'about to end', 'about 5 s left', 'about 1 min left', 'about 1 min 30 s left', 'about 2 min left'],
      ...['about 4 min left', 'about 3 h left'],
    ])
  })

  test('targetText() says for which devices', () => {
    expect(targetText({ selector: '' })).toBe('all devices')
    expect(targetText({ selector: 'site=berlin' })).toBe('devices that match site=berlin')
    expect(targetText({ devices: ['a', 'b'] as never })).toBe('a and b')
    expect(targetText({ devices: ['a', 'b', 'c', 'd', 'e', 'f'] as never })).toBe('a, b, c, d and 2 more')
    expect(listText(['a', 'b', 'c'], 3)).toBe('a, b and c')
    expect([shareText(1), shareText('5'), shareText('10%')]).toEqual(['1 device', '5 devices', '10% of the devices'])
  })

  test('countsText() tells what there is, in the order in which it is shown', () => {
    expect(countsText({ pending: 1200, failed: 1, healthy: 3, skipped: 0 })).toBe('3 healthy, 1 failed, 1,200 pending')
    expect(countsOf({})).toEqual([])
  })

  test('lookOf() alarms nobody with devices that wait for their turn', () => {
    expect([lookOf('pending', 'deployment').tone, lookOf('pending').tone]).toEqual(['wait', 'warn'])
    expect(lookOf('rolled_back', 'deployment')).toMatchObject({ tone: 'warn', word: 'rolled back' })
  })

  test('secondsOf() reads lengths of time as people type them', () => {
    expect(['30', '30s', ' 1.5 min', '5m', '2 h', '1d', '0'].map(secondsOf)).toEqual([30, 30, 90, 300, 7200, 86_400, 0])
    expect(['', 'soon', '5 weeks', '-1', '1e3', '5 m s'].map(secondsOf)).toEqual(Array.from({ length: 6 }, () => undefined))
  })
})

describe('sectionsOf()', () => {
  test('shows all of a few devices, batch by batch, those without one last', () => {
    const sections = sectionsOf([
      device(1, null, 'skipped'),
      device(2, 0, 'healthy'),
      device(3, 1, 'deploying'),
      device(4, 1, 'pending'),
    ])
    expect(sections.map((one) => [sectionTitle(one), one.open.map(({ device }) => device)])).toEqual([
      ['Canary', ['d2']],
      ['Batch 1', ['d3', 'd4']],
      ['Without a turn', ['d1']],
    ])
  })

  test('folds batches that need nobody’s eye into one, and keeps those that do apart', () => {
    const many = Array.from({ length: 1000 }, (_, i) =>
      device(i, i, i === 500 ? 'failed' : i < 600 ? 'healthy' : i === 600 ? 'deploying' : 'pending'),
    )
    const sections = sectionsOf(many)
    expect(
      sections.map((one) => [sectionTitle(one), one.open.length, one.folds.map(({ of, devices }) => [of, devices.length])]),
    ).toEqual([
      ['Canary and batches 1 to 499', 0, [['well', 500]]],
      ['Batch 500', 1, []],
      ['Batches 501 to 599', 0, [['well', 99]]],
      ['Batch 600', 1, []],
      ['Batches 601 to 999', 0, [['waiting', 399]]],
    ])
    expect(sections[0]?.counts).toEqual({ healthy: 500 })
  })

  test('within a large batch only what is worth a look is in sight', () => {
    const states: DeploymentDeviceState[] = ['healthy', 'superseded', 'failed', 'deferred', 'pending', 'rolled_back', 'deployed']
    const [only, ...rest] = sectionsOf(Array.from({ length: 700 }, (_, i) => device(i, 1, states[i % 7] ?? 'failed')))
    expect(rest).toEqual([])
    expect(only?.open.every(({ state }) => state === 'failed' || state === 'deployed')).toBe(true)
    expect(only?.folds.map(({ of, devices }) => [of, devices.length])).toEqual([
      ...[
        ['well', 200],
        ['back', 100],
        ['away', 100],
        ['waiting', 100],
      ],
    ])
  })

  test('sectionTitle() counts the canary with the batches', () => {
    expect(sectionTitle({ from: 0, to: 1 })).toBe('Canary and batch 1')
    expect(sectionTitle({ from: 2, to: 1400 })).toBe('Batches 2 to 1,400')
  })
})

describe('what can be ordered', () => {
  const one = (state: DeploymentState, more: object = {}) =>
    ({
      state,
      version: '1.1.0',
      counts: {},
      strategy: { late: 'apply' },
      history: [],
      ...more,
    }) as unknown as OutputOf<'deployment.get'> // what these functions look at
  const moment = (state: DeploymentState) => ({ at: '', state, reason: null, by: null })

  test('ordersFor() offers what is not refused', () => {
    expect(ordersFor(one('in_progress'))).toEqual(['pause', 'cancel', 'rollback'])
    expect(ordersFor(one('paused', { history: [moment('in_progress'), moment('paused')] }))).toEqual([
      'resume',
      'cancel',
      'rollback',
    ])
    expect(ordersFor(one('paused', { history: [moment('rolling_back'), moment('paused')] }))).toEqual(['resume'])
    expect(ordersFor(one('rolled_back'))).toEqual([])
    expect(ordersFor(one('completed', { strategy: { late: 'hold' }, counts: { deferred: 2 } }))).toEqual(['resume', 'rollback'])
    expect(isGoingBack(one('completed', { history: [moment('rolling_back')] }))).toBe(false)
  })

  test('whatFollows() says how many come to which end', () => {
    const devices = [
      device(1, 1, 'healthy', { started_at: 'then', previous: '1.0.0' }),
      device(2, 1, 'failed', { started_at: 'then' }),
      device(3, 2, 'deploying', { started_at: 'then', previous: '1.0.0' }),
      ...[device(4, 3, 'pending'), device(5, 3, 'pending'), device(6, null, 'skipped')],
    ]
    expect(whatFollows('pause', one('in_progress'), devices)).toEqual([
      '1 device that has begun comes to its end.',
      'No further one begins until somebody resumes.',
    ])
    expect(whatFollows('cancel', one('in_progress'), devices)).toEqual(['2 devices that wait do not get the release.'])
    expect(whatFollows('rollback', one('in_progress'), devices)).toEqual([
      '2 devices go back to the version that they had before.',
      '1 device that had nothing of it before runs nothing of it again: the workloads of 1.1.0 are stopped and removed there.',
      'Each is watched until what it had is well.',
    ])
    expect(whatFollows('rollback', one('in_progress'), [device(1, 1, 'pending')])).toEqual([
      'No device has been touched yet: none has to go back.',
    ])
  })
})

describe('mergedPlan()', () => {
  const plan = (more: object): OutputOf<'device.plan'> =>
    ({ releases: [{ name: 'app', desired: null, reported: null, why: null, ...more }] }) as never // what it looks at
  const told = (more: object): ReportedRelease =>
    ({ name: 'app', active: null, wanted: null, state: 'healthy', reason: null, since: 'then', ...more }) as ReportedRelease // the rest

  test('what the device has said since wins over what the controller knew', () => {
    const desired = { version: '2', digest: 'b', deployment: 'x-back' }
    const before = told({ state: 'downloading' })
    const [one] = mergedPlan(plan({ desired, reported: before, why: 'downloading' }), [
      told({ state: 'downloading', active: { version: '1', digest: 'a' }, progress: { bytes: 50, total: 200 } }),
    ])
    expect(one).toEqual({
      ...{ name: 'app', runs: '1', wanted: '2', deployment: 'x', state: 'downloading', why: '25 % has come', since: 'then' },
    })
  })

  test('one that the device says nothing of has the controller’s reason', () => {
    expect(mergedPlan(plan({ why: 'it has said nothing yet' }), [])).toMatchObject([
      { runs: null, state: null, why: 'it has said nothing yet', since: null },
    ])
  })
})
