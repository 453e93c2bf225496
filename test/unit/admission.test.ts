import { createPublicKey, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { signerOf } from '../../base/jws.ts'
import { newPrivateKey } from '../../base/p256.ts'
import { type AdmissionContext, admit } from '../../device/admission.ts'
import type { Jws } from '../../schemas/keys.ts'

const [ours, foreign] = [0, 1].map(() => newPrivateKey()) as [KeyObject, KeyObject]
const signer = signerOf(ours)
const signed = (payload: unknown): Jws => signer.sign('skein-command', JSON.stringify(payload))

const now = Date.parse('2030-01-01T00:00:00.000Z')
const iso = (ms: number) => new Date(ms).toISOString()
const command = (more: Record<string, unknown> = {}) => ({
  fleet: 'default',
  device: 'd1',
  verb: 'cancel',
  epoch: 5,
  nonce: 'n1',
  id: 'c1',
  issued_at: iso(now),
  expires_at: iso(now + 60_000),
  body: { runs: ['r-1'] },
  ...more,
})
const context = (more: Partial<AdmissionContext> = {}): AdmissionContext => ({
  fleet: 'default',
  device: 'd1',
  epoch: 5,
  controllerNow: now,
  nonce: 'n1',
  keyFor: (kid) => (kid === signer.kid ? createPublicKey(ours) : undefined),
  wasSeen: () => false,
  ...more,
})
const reason = (
  payload: unknown,
  more: { verb?: string; retained?: boolean } = {},
  about: Partial<AdmissionContext> = {},
): string => {
  const admission = admit({ verb: 'cancel', retained: false, payload: signed(payload), ...more }, context(about))
  return admission.ok ? 'admitted' : admission.reason
}

describe('admit()', () => {
  test('gives the verb and the body of a command that is right', () => {
    const admission = admit({ verb: 'cancel', retained: false, payload: signed(command()) }, context())
    expect(admission).toMatchObject({ ok: true, command: { verb: 'cancel', epoch: 5, body: { runs: ['r-1'] } } })
  })

  test.each([
    ['retained', command(), { retained: true }],
    ['unreadable', null, {}],
    ['unreadable', 'cancel', {}],
    ['unreadable', { ...command(), epoch: '5' }, {}],
    ['unreadable', { ...command(), expires_at: 'soon' }, {}],
    ['foreign', command({ fleet: 'other' }), {}],
    ['foreign', command({ device: 'd2' }), {}],
    ['foreign', command({ verb: 'run' }), {}],
    ['foreign', command(), { verb: 'welcome' }],
    ['old_epoch', command({ epoch: 4 }), {}],
    ['expired', command({ expires_at: iso(now - 1) }), {}],
    ['unknown_verb', command({ verb: 'dance' }), { verb: 'dance' }],
    ['unreadable_body', command({ body: { runs: 'r-1' } }), {}],
    ['unreadable_body', command({ body: null }), {}],
    ['unreadable', { ...command(), nonce: undefined }, {}],
    ['old_session', command({ nonce: 'n0' }), {}],
    ['old_session', command({ nonce: null }), {}],
    ['admitted', command({ epoch: 6 }), {}],
    ['admitted', command({ expires_at: iso(now) }), {}],
    ['admitted', command({ new_field: 1, body: { runs: [], more: 2 } }), {}],
  ])('%s: %j', (expected, payload, more) => {
    expect(reason(payload, more)).toBe(expected)
  })

  test('a command that was seen is not obeyed twice', () => {
    expect(reason(command(), {}, { wasSeen: (id) => id === 'c1' })).toBe('seen')
    expect(reason(command({ id: 'c2' }), {}, { wasSeen: (id) => id === 'c1' })).toBe('admitted')
  })

  test('while the controller’s time is not known nothing can be told to be expired', () => {
    expect(reason(command({ expires_at: iso(0) }), {}, { controllerNow: null })).toBe('admitted')
  })

  test('what is not obeyed for another reason does not use up its id', () => {
    const asked: string[] = []
    const wasSeen = (id: string) => asked.push(id) > 1e9
    for (const payload of [command({ fleet: 'x' }), command({ epoch: 1 }), command({ expires_at: iso(0) })])
      reason(payload, {}, { wasSeen })
    expect(reason(command(), { retained: true }, { wasSeen })).toBe('retained')
    expect(asked).toEqual([])
  })

  test('a welcome and the wish for a hello are bound to no session', () => {
    const welcome = {
      nonce: 'n9',
      at: iso(now),
      cursors: {},
      wanted: [],
      unwanted: [],
      cancels: [],
      heartbeat_seconds: 30,
      revision: 0,
    }
    const ack = { journal: 'j', cursors: {}, hello: true }
    expect(reason(command({ verb: 'welcome', nonce: 'n9', body: welcome }), { verb: 'welcome' }, { nonce: null })).toBe(
      'admitted',
    )
    expect(reason(command({ verb: 'ack', nonce: null, body: ack }), { verb: 'ack' })).toBe('admitted')
    expect(reason(command({ verb: 'ack', nonce: 'n0', body: ack }), { verb: 'ack' })).toBe('old_session')
  })

  const refusalOf = (payload: unknown): string => {
    const admission = admit({ verb: 'cancel', retained: false, payload }, context())
    return admission.ok ? 'admitted' : admission.reason
  }

  test('what is not signed, or not by a key that is believed, is not obeyed', () => {
    expect(refusalOf(signed(command()))).toBe('admitted')
    expect(refusalOf(command())).toBe('unsigned')
    expect(refusalOf(undefined)).toBe('unsigned')
    expect(refusalOf(signerOf(foreign).sign('skein-command', JSON.stringify(command())))).toBe('unknown_key')
    expect(refusalOf(signerOf(foreign).sign('skein-command', JSON.stringify(command()), { withKey: true }))).toBe('unknown_key')
    expect(refusalOf(signer.sign('skein-epoch', JSON.stringify(command())))).toBe('unsigned')
  })

  test('a key that comes along under the name of another one is not believed', () => {
    const theirs = signerOf(foreign).sign('skein-command', JSON.stringify(command()), { withKey: true })
    const header = JSON.parse(Buffer.from(theirs.protected, 'base64url').toString())
    const forged = Buffer.from(JSON.stringify({ ...header, kid: signer.kid })).toString('base64url')
    expect(refusalOf({ ...theirs, protected: forged })).toBe('unknown_key')
  })

  test('no byte of it can be changed', () => {
    const whole = signed(command())
    for (const part of ['protected', 'payload', 'signature'] as const) {
      for (let at = 0; at < whole[part].length; at += 7) {
        const other = whole[part][at] === 'A' ? 'Q' : 'A'
        const changed = { ...whole, [part]: whole[part].slice(0, at) + other + whole[part].slice(at + 1) }
        expect(refusalOf(changed), `${part} ${at}`).not.toBe('admitted')
      }
    }
    expect(refusalOf({ ...whole, signature: '' })).toBe('bad_signature')
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: signer.kid, typ: 'skein-command' })).toString('base64url')
    expect(refusalOf({ ...whole, protected: none, signature: '' })).toBe('unsigned')
  })
})
