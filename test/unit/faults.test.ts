import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { faultsOf, nearest, refusalOf } from '../../schemas/faults.ts'

describe('nearest()', () => {
  const known = ['timeout_seconds', 'retries', 'on_lost', 'selector', 'payload', 'target', 'type', 'tags', 'env', 'cwd']

  test.each([
    ['retrys', 'retries'],
    ['Retries', 'retries'],
    ['timeout_second', 'timeout_seconds'],
    ['timeout-seconds', 'timeout_seconds'],
    ['selektor', 'selector'],
    ['playload', 'payload'],
    ['tag', 'tags'],
    ['en', 'env'],
    ['cdw', undefined],
    ['zzz', undefined],
    ['', undefined],
  ])('of %j is %j', (word, expected) => {
    expect(nearest(word, known)).toBe(expected)
  })

  test('of a very long word is none, and found at once', () => {
    expect(nearest('x'.repeat(100_000), known)).toBeUndefined()
  })

  test('takes the nearest of several, the first of two as near', () => {
    expect(nearest('tags', ['tagx', 'tags'])).toBe('tags')
    expect(nearest('tagz', ['tagx', 'tags'])).toBe('tagx')
    expect(nearest('x', [])).toBeUndefined()
  })
})

describe('faultsOf()', () => {
  const Shape = z.strictObject({
    a: z.object({ b: z.number() }),
    kind: z.enum(['x', 'y']).optional(),
    list: z.array(z.string()).optional(),
  })
  const faults = (value: unknown) => {
    const parsed = Shape.safeParse(value, { reportInput: true })
    return parsed.success ? [] : faultsOf(parsed.error, ['kind', 'list', 'a.b'])
  }

  test('names the whole path, a stable code and what would be accepted', () => {
    expect(faults({})).toEqual([{ field: 'a', code: 'required', message: expect.any(String), accepted: ['object'] }])
    expect(faults({ a: { b: '1' } })).toEqual([
      { field: 'a.b', code: 'invalid_type', message: expect.any(String), accepted: ['number'] },
    ])
    expect(faults({ a: { b: 1 }, kind: 'z' })).toEqual([
      { field: 'kind', code: 'invalid_value', message: 'must be one of x, y', accepted: ['x', 'y'] },
    ])
    expect(faults({ a: { b: 1 }, list: ['', 5] })[0]).toMatchObject({ field: 'list.1', code: 'invalid_type' })
    expect(faults(null)[0]?.field).toBe('(input)')
  })

  test('an unknown field comes with what may have been meant, and one that is only misplaced with its place', () => {
    expect(faults({ a: { b: 1 }, lst: [] })[0]).toMatchObject({ field: 'lst', code: 'unknown_field', accepted: ['list'] })
    expect(faults({ a: { b: 1 }, b: 2 })[0]).toMatchObject({ field: 'b', code: 'unknown_field', accepted: ['a.b'] })
    expect(faults({ a: { b: 1 }, whatever: 1 })[0]).toEqual({
      field: 'whatever',
      code: 'unknown_field',
      message: 'unknown field',
    })
  })

  test('refusalOf() says the first fault and how many more', () => {
    const parsed = Shape.safeParse({ a: 5, kind: 'z', more: 1 }, { reportInput: true })
    const refusal = parsed.success ? undefined : refusalOf('thing', parsed.error)
    expect(refusal?.error).toMatchObject({ code: 'invalid', retryable: false })
    expect(refusal?.error.message).toMatch(/^thing: a: .* \(and 2 more\)$/)
    expect(refusal?.error.details?.length).toBe(3)
  })
})
