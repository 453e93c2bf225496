import { describe, expect, test } from 'vitest'
import { neededBy, newLife, type ReleaseEvent, type ReleaseLife, transition } from '../../device/releases/life.ts'
import type { DesiredRelease } from '../../schemas/desired.ts'

const release = (version: string, over: Partial<DesiredRelease> = {}): DesiredRelease => ({
  ...{ name: 'app', version, digest: `digest-${version}`, deployment: `d${version}` },
  bundle: { sha256: `bundle-${version}`, size: 1, unpacked_bytes: 1 },
  judge: { min_healthy_seconds: 1, health_timeout_seconds: 2, goes_back: true },
  signature: { protected: '', payload: '', signature: '' },
  ...over,
})
const one = release('1')
const two = release('2')
const three = release('3')
const wanted = (what: DesiredRelease): ReleaseEvent => ({ kind: 'wanted', release: what })
const switched = (what: DesiredRelease): ReleaseEvent => ({ kind: 'switched', release: what, mono: 5, boot: 'b' })
const judged = (what: DesiredRelease, verdict: 'healthy' | 'failed'): ReleaseEvent => ({
  kind: 'judged',
  release: what,
  verdict,
  reason: null,
})
const lived = (from: ReleaseLife, ...events: ReleaseEvent[]): ReleaseLife =>
  events.reduce((life, event, i) => transition(life, event, i + 1), from)
const healthy = lived(newLife(one, 0), switched(one), judged(one, 'healthy'))

describe('transition()', () => {
  test('goes from wanted to healthy, each state since it began', () => {
    const settling = lived(newLife(one, 0), switched(one))
    expect(settling).toMatchObject({ state: 'settling', since: 1, active: one, previous: null, settling: { mono: 5, boot: 'b' } })
    expect(healthy).toMatchObject({ state: 'healthy', since: 2, verdict: 'healthy', settling: null })
    expect(transition(healthy, wanted(release('1', { judge: { ...one.judge, goes_back: false } })), 9)).toMatchObject({
      since: 2,
      state: 'healthy',
    })
  })

  test('what is gone back to is what was found well last, or else what was there', () => {
    const failed = lived(healthy, wanted(two), switched(two), judged(two, 'failed'))
    expect(failed.previous).toBe(one)
    expect(lived(failed, wanted(three), switched(three)).previous).toBe(one)
    const never = lived(newLife(one, 0), switched(one), judged(one, 'failed'), wanted(two), switched(two))
    expect(never.previous).toBe(one)
    const back = lived(failed, { kind: 'went_back' })
    expect(back).toMatchObject({ state: 'failed', active: one, previous: null, wentBack: true })
    expect(lived(back, wanted(three))).toMatchObject({ state: 'downloading', wentBack: false })
    expect(lived(back, wanted(three), switched(three)).previous).toBe(one)
  })

  test('ignores what is stale: it comes for something else, or a second time', () => {
    const downloading = lived(healthy, wanted(two))
    const failed = lived(downloading, switched(two), judged(two, 'failed'))
    const stale: [ReleaseLife, ReleaseEvent][] = [
      [downloading, switched(three)],
      [downloading, switched(release('2', { deployment: 'other' }))],
      [downloading, { kind: 'refused', release: three, reason: 'x' }],
      [downloading, judged(one, 'failed')],
      [downloading, { kind: 'went_back' }],
      [downloading, { kind: 'ended_badly', workload: 'web' }],
      [downloading, { kind: 'rebooted', mono: 1, boot: 'c' }],
      [healthy, judged(one, 'failed')],
      [healthy, switched(one)],
      [healthy, { kind: 'cleared' }],
      [failed, { kind: 'lost' }],
      [lived(failed, { kind: 'went_back' }), { kind: 'went_back' }],
    ]
    for (const [life, event] of stale) expect([event, transition(life, event, 99) === life]).toEqual([event, true])
  })

  test('another environment, or another deployment, is another wish', () => {
    for (const other of [release('1', { env: { A: 'b' } }), release('1', { deployment: 'other' })])
      expect(transition(healthy, wanted(other), 9)).toMatchObject({ state: 'downloading', verdict: 'healthy' })
  })

  test('what cannot be applied leaves what runs as it is; under the old deployment that is not judged again', () => {
    const refused = lived(healthy, wanted(two), { kind: 'refused', release: two, reason: 'no room' })
    expect(refused).toMatchObject({ state: 'failed', reason: 'no room', active: one, verdict: 'healthy' })
    expect(transition(refused, wanted(one), 9)).toMatchObject({ state: 'healthy', since: 9, reason: null, wanted: one })
  })

  test('what is not wanted is removing until it is gone, and can be wanted again', () => {
    const removing = lived(healthy, { kind: 'unwanted' })
    expect(removing).toMatchObject({ state: 'removing', wanted: null, active: one })
    expect(lived(removing, { kind: 'cleared' })).toMatchObject({ active: null, previous: null, verdict: null })
    expect(lived(removing, { kind: 'cleared' }, wanted(one))).toMatchObject({ state: 'downloading' })
  })

  test('counts failures while it settles, and forgets them for the next', () => {
    const settling = lived(
      newLife(one, 0),
      switched(one),
      ...Array<ReleaseEvent>(2).fill({ kind: 'ended_badly', workload: 'web' }),
    )
    expect(settling.failedEnds).toEqual({ web: 2 })
    expect(transition(settling, wanted(two), 9).failedEnds).toEqual({})
  })
})

test('neededBy() keeps what runs, what is wanted, and what may be gone back to; and a bundle only as long as it is brought', () => {
  const downloading = lived(healthy, wanted(two))
  expect(neededBy([downloading])).toEqual({ digests: new Set(['digest-1', 'digest-2']), bundles: new Set(['bundle-2']) })
  const settling = lived(downloading, switched(two))
  expect(neededBy([settling])).toEqual({ digests: new Set(['digest-2', 'digest-1']), bundles: new Set() })
})
