import { describe, expect, test } from 'vitest'
import { commandLineOf } from '../../dashboard/web/pages/new-deployment/command-line.ts'
import {
  type DeploymentForm,
  draftOf,
  emptyForm,
  hasMore,
  missingIn,
  namesOf,
} from '../../dashboard/web/pages/new-deployment/deployment-form.ts'
import { readPreview } from '../../dashboard/web/pages/new-deployment/read-preview.ts'
import { NewDeployment } from '../../schemas/deployment.ts'

const form = (more: Partial<DeploymentForm> = {}): DeploymentForm => ({ ...emptyForm, release: 'app@1.0.0', ...more })

describe('the form of a deployment', () => {
  test('draftOf() gives what the controller takes, and as it begins all that it would take anyway', () => {
    const { draft, faults } = draftOf(form())
    expect(faults).toEqual([])
    expect(NewDeployment.parse(draft)).toEqual({
      ...NewDeployment.parse({ release: 'app@1.0.0', target: { selector: '' } }),
      batch: '1',
    })
  })

  test('draftOf() reads shares, lengths of time and lines', () => {
    const { draft, faults } = draftOf(
      form({
        ...{ where: 'devices', devices: ' pi-1,pi-2\npi-1 ', batch: '10 %', canary: '2', maxFailures: '3', minHealthy: '1 min' },
        ...{ healthTimeout: '5m', pause: '', rollsBack: false, failureRatio: '20%', maxUnavailable: '5', unavailablePer: 'site' },
        ...{ late: 'hold', deadline: '1h', env: 'A=b=c\n\nD= e' },
      }),
    )
    expect(faults).toEqual([])
    expect(NewDeployment.parse(draft)).toMatchObject({
      ...{ target: { devices: ['pi-1', 'pi-2'] }, batch: '10%', canary: 2, max_failures: 3, min_healthy_seconds: 60 },
      ...{ health_timeout_seconds: 300, pause_seconds: 0, auto_rollback: false, max_failure_ratio: 0.2, max_unavailable: '5' },
      ...{ max_unavailable_per: 'site', late: 'hold', progress_deadline_seconds: 3600, env: { A: 'b=c', D: ' e' } },
    })
  })

  test('draftOf() says which fields cannot be read', () => {
    const { faults } = draftOf(form({ batch: 'some', canary: 'one', minHealthy: 'soon', failureRatio: 'x', env: 'A\nB=c' }))
    expect(faults.map(({ field }) => field)).toEqual(['env', 'batch', 'canary', 'min_healthy_seconds', 'max_failure_ratio'])
  })

  test('missingIn() asks for what goes out and to whom', () => {
    expect(missingIn(emptyForm)[0]?.field).toBe('release')
    expect(missingIn(form({ where: 'selector', selector: ' ' }))[0]?.field).toBe('target.selector')
    expect(missingIn(form({ where: 'devices', devices: ' , ' }))[0]?.field).toBe('target.devices')
    expect(missingIn(form())).toEqual([])
    expect(namesOf('a b;a')).toEqual(['a', 'b'])
    expect([hasMore(form()), hasMore(form({ late: 'hold' }))]).toEqual([false, true])
  })

  test('commandLineOf() says the same, without what is so anyway', () => {
    expect(commandLineOf(draftOf(form()).draft)).toBe('skein deploy app@1.0.0 --all --watch')
    const { draft } = draftOf(
      form({ where: 'selector', selector: 'site in (a,b)', batch: '10%', minHealthy: '30s', rollsBack: false, env: "X=it's" }),
    )
    expect(commandLineOf(draft)).toBe(
      `skein deploy app@1.0.0 --selector 'site in (a,b)' --batch 10% --min-healthy 30s --no-rollback --env 'X=it'\\''s' --watch`,
    )
  })
})

describe('readPreview()', () => {
  const would = (device: string, batch: number, more: object = {}) => ({
    ...{ device, batch, state: 'online', previous: null, why: null },
    ...more,
  })
  const preview = (more: object) => readPreview(more as never) // what it looks at

  test('tells who gets it in which batch, and who does not and why', () => {
    const read = preview({
      would: [
        ...[would('a', 0), would('b', 1), would('c', 1, { state: 'offline' })],
        would('d', 1, { why: 'its workload "web" belongs to the device itself' }),
      ],
      others: [{ device: 'z', why: 'it does not match' }],
      other_count: 7,
      devices: 4,
    })
    expect(read).toMatchObject({ says: '3 devices get it, in 2 batches, 1 of them first', isGood: true, away: 1, otherCount: 8 })
    expect(read.batches).toEqual([
      { batch: 0, devices: ['a'] },
      { batch: 1, devices: ['b', 'c'] },
    ])
    expect(read.others.map(({ device }) => device)).toEqual(['d', 'z'])
  })

  test('counts those for which there is no room in the answer, and says when nobody gets it', () => {
    expect(preview({ would: [would('a', 1)], devices: 5000 })).toMatchObject({
      says: '5,000 devices get it, in 1 batch or more',
      unlisted: 4999,
    })
    expect(preview({ would: [would('a', 0, { why: 'runs this release already' })] })).toMatchObject({
      ...{ says: 'No device gets it', isGood: false, otherCount: 1 },
    })
  })
})
