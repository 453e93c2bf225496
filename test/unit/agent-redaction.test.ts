import { describe, expect, test } from 'vitest'
import { createRedaction } from '../../device/agents/redaction.ts'
import { randomFrom } from '../simulation/sim-clock.ts'

const secret = 'pass/word+with "quotes" & ümläut'
const key = '-----BEGIN KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEF\nAASCAUAwggE8AgEAAkEAq7BFUpk\n-----END KEY-----'
const { text, value, open } = createRedaction({ TOKEN: secret, KEY: key, SHORT: 'ab12', LONGER: `${secret}-and-more` })

describe('a text as a whole', () => {
  test.each([
    ['as it is', secret],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in a URL', encodeURIComponent(secret)],
    ['in a form', encodeURIComponent(secret).replaceAll('%20', '+')],
  ])('has no secret %s', (_, form) => expect(text(`before ${form} after`)).toBe('before [redacted:TOKEN] after'))

  test.each([0, 1, 2, 3, 4, 5])('has none in base64, wherever it begins in what was encoded (%i)', (before) => {
    for (const encoding of ['base64', 'base64url'] as const) {
      const encoded = Buffer.from(`${'x'.repeat(before)}${secret} and the rest`).toString(encoding)
      const found = text(encoded)
      expect(found).toContain('[redacted:TOKEN]')
      // What is left of it says at most a byte on either side.
      expect(Buffer.from(found.replace('[redacted:TOKEN]', ''), encoding).toString('latin1')).not.toContain('word')
    }
  })

  test('has none of the lines of one with several', () => {
    expect(text('MIIBVgIBADANBgkqhkiG9w0BAQEF')).toBe('[redacted:KEY]')
    expect(text(key)).toBe('[redacted:KEY]')
  })

  test('of two that begin alike the longer one is found', () => expect(text(`${secret}-and-more`)).toBe('[redacted:LONGER]'))

  test('what is no secret stays', () =>
    expect(text('the password is ab1 2, and a-b-1-2')).toBe('the password is ab1 2, and a-b-1-2'))
})

test('values of JSON are gone through, with their keys', () => {
  expect(value({ a: [secret, 5, null, { [`x ${secret}`]: true }] })).toEqual({
    a: ['[redacted:TOKEN]', 5, null, { 'x [redacted:TOKEN]': true }],
  })
})

test('however a text is cut, it comes out as if it had not been', () => {
  const random = randomFrom(4711)
  const parts = [
    secret,
    key,
    `${secret}-and-more`,
    Buffer.from(secret).toString('base64'),
    'ab12',
    'ab1',
    'plain',
    '\n',
    secret.slice(0, -1),
    key.slice(0, 30),
  ]
  for (let round = 0; round < 300; round++) {
    const all = Array.from({ length: 6 }, () => parts[Math.floor(random() * parts.length)]).join(' ')
    const redactor = open()
    let out = ''
    for (let at = 0; at < all.length; ) {
      const length = 1 + Math.floor(random() * (random() < 0.5 ? 3 : 40))
      out += redactor.push(all.slice(at, at + length))
      at += length
    }
    out += redactor.end()
    expect(out).toBe(text(all))
  }
})

test('only what may be the beginning of a secret is held back', () => {
  const redactor = open()
  expect(redactor.push('hello pas')).toBe('hello ')
  expect(redactor.push('.')).toBe('pas.')
  expect(redactor.push('pass')).toBe('')
  expect(redactor.end()).toBe('pass')
})

test('without secrets nothing is touched or held', () => {
  const none = createRedaction({})
  expect([none.text(secret), none.open().push('pass'), none.value({ a: 1 })]).toEqual([secret, 'pass', { a: 1 }])
})
