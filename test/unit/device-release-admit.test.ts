import { describe, expect, test } from 'vitest'
import { type Signer, signerOf } from '../../base/jws.ts'
import { newPrivateKey } from '../../base/p256.ts'
import { admitDesired, type DesiredContext } from '../../device/releases/admit-desired.ts'
import type { Desired, DesiredRelease } from '../../schemas/desired.ts'
import type { ReleaseStatement } from '../../schemas/release.ts'

const ours = signerOf(newPrivateKey())
const theirs = signerOf(newPrivateKey())

const sha = 'a'.repeat(64)
const statement: ReleaseStatement = {
  ...{ name: 'app', version: '1', digest: sha },
  bundle: { sha256: 'b'.repeat(64), size: 10, unpacked_bytes: 20 },
}
const released = (over: Partial<DesiredRelease> = {}, signer: Signer = ours, stated: object = statement): DesiredRelease => ({
  ...{ ...statement, deployment: 'd1', judge: { min_healthy_seconds: 1, health_timeout_seconds: 2, goes_back: true } },
  signature: signer.sign('skein-release', JSON.stringify(stated), { withKey: true }),
  ...over,
})
const desired = (over: Partial<Desired> = {}): Desired => ({
  ...{ fleet: 'f', device: 'd', revision: 5, epoch: 3, at: '2026-01-01T00:00:00.000Z', releases: [released()] },
  ...over,
})
const context = (over: Partial<DesiredContext> = {}): DesiredContext => ({
  ...{ fleet: 'f', device: 'd', seen: { revision: 5, epoch: 3 } },
  keyFor: (kid, carried) => (kid === ours.kid ? carried : undefined),
  ...over,
})
const signed = (payload: unknown, signer = ours, options = { withKey: true }) =>
  signer.sign('skein-desired', typeof payload === 'string' ? payload : JSON.stringify(payload), options)
const reasonFor = (payload: unknown, over: Partial<DesiredContext> = {}): string => {
  const admission = admitDesired(payload, context(over))
  return admission.ok ? 'admitted' : admission.reason
}

describe('admitDesired()', () => {
  test('takes what a believed key has signed for this device, also the same revision again, and before any other', () => {
    const document = desired()
    expect(admitDesired(signed(document), context())).toEqual({ ok: true, desired: document })
    for (const seen of [undefined, { revision: 4, epoch: 9 }, { revision: 5, epoch: 2 }])
      expect([seen, reasonFor(signed(desired()), { seen })]).toEqual([seen, 'admitted'])
    expect(reasonFor(signed(desired({ releases: [] })))).toBe('admitted')
  })

  test.each([
    ['unsigned', desired()],
    ['unsigned', undefined],
    ['unsigned', ours.sign('skein-command', JSON.stringify(desired()), { withKey: true })],
    ['unknown_key', signed(desired(), theirs)],
    ['unknown_key', signed(desired(), ours, { withKey: false })],
    ['bad_signature', { ...signed(desired()), payload: signed(desired({ revision: 9 })).payload }],
    ['unreadable', signed('[]')],
    ['foreign', signed(desired({ fleet: 'other' }))],
    ['foreign', signed(desired({ device: 'e' as Desired['device'] }))],
    ['old_revision', signed(desired({ revision: 4 }))],
    ['old_epoch', signed(desired({ epoch: 2 }))],
    ['one_name_twice', signed(desired({ releases: [released(), released()] }))],
    ['release_unknown_key', signed(desired({ releases: [released({}, theirs)] }))],
    ['release_unsigned', signed(desired({ releases: [released({ signature: signed('{}') })] }))],
    ['release_unreadable', signed(desired({ releases: [released({}, ours, {})] }))],
    ['release_foreign', signed(desired({ releases: [released({ version: '2' })] }))],
    ['release_foreign', signed(desired({ releases: [released({ digest: 'c'.repeat(64) })] }))],
    ['release_foreign', signed(desired({ releases: [released({ bundle: { ...statement.bundle, sha256: sha } })] }))],
  ])('refuses as %s: %#', (reason, payload) => {
    expect(reasonFor(payload)).toBe(reason)
  })
})
