import { describe, expect, test } from 'vitest'
import { type AdmissionContext, admit } from '../../device/admission.ts'

const now = Date.parse('2030-01-01T00:00:00.000Z')
const iso = (ms: number) => new Date(ms).toISOString()
const command = (more: Record<string, unknown> = {}) => ({
  fleet: 'default',
  device: 'd1',
  verb: 'cancel',
  epoch: 5,
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
  wasSeen: () => false,
  ...more,
})
const reason = (
  payload: unknown,
  more: { verb?: string; retained?: boolean } = {},
  about: Partial<AdmissionContext> = {},
): string => {
  const admission = admit({ verb: 'cancel', retained: false, payload, ...more }, context(about))
  return admission.ok ? 'admitted' : admission.reason
}

describe('admit()', () => {
  test('gives the verb and the body of a command that is right', () => {
    const admission = admit({ verb: 'cancel', retained: false, payload: command() }, context())
    expect(admission).toMatchObject({ ok: true, command: { verb: 'cancel', epoch: 5, body: { runs: ['r-1'] } } })
  })

  test.each([
    ['retained', command(), { retained: true }],
    ['unreadable', undefined, {}],
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
})
