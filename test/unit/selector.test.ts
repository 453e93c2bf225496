import { describe, expect, test } from 'vitest'
import { matches, parseSelector } from '../../schemas/selector.ts'

/** Whether a selector matches labels; a selector that cannot be read fails the test. */
const selects = (selector: string, labels: Record<string, string>): boolean => {
  const parsed = parseSelector(selector)
  if (!parsed.ok) throw new Error(parsed.reason)
  return matches(parsed.requirements, labels)
}

describe('parseSelector() and matches()', () => {
  test.each([
    ['role=builder', { role: 'builder' }, true],
    ['role==builder', { role: 'builder' }, true],
    ['role = builder', { role: 'builder' }, true],
    ['role=builder', { role: 'Builder' }, false],
    ['role=builder', {}, false],
    ['role=', { role: '' }, true],
    ['role=', {}, false],
    ['role!=builder', { role: 'tester' }, true],
    ['role!=builder', {}, true],
    ['role!=builder', { role: 'builder' }, false],
    ['region in (eu,us)', { region: 'us' }, true],
    ['region in ( eu , us )', { region: 'eu' }, true],
    ['region in(eu)', { region: 'eu' }, true],
    ['region in (eu,us)', { region: 'eu,us' }, false],
    ['region in (eu,us)', {}, false],
    ['region notin (eu,us)', { region: 'asia' }, true],
    ['region notin (eu,us)', {}, true],
    ['region notin (eu,us)', { region: 'eu' }, false],
    ['drained', { drained: '' }, true],
    ['drained', {}, false],
    ['!drained', {}, true],
    ['! drained', {}, true],
    ['!drained', { drained: 'false' }, false],
    ['agent.goose=1.2.3', { 'agent.goose': '1.2.3' }, true],
    ['example.com/tier in (a)', { 'example.com/tier': 'a' }, true],
    ['in in (notin)', { in: 'notin' }, true],
    ['role=builder,region in (eu,us),!drained', { role: 'builder', region: 'eu' }, true],
    ['role=builder,region in (eu,us),!drained', { role: 'builder', region: 'eu', drained: 'true' }, false],
    ['a=1,a=2', { a: '1' }, false],
    ['a!=1,a!=2', {}, true],
  ] as const)('%s on %j is %s', (selector, labels, expected) => {
    expect(selects(selector, labels)).toBe(expected)
  })

  test('an empty selector matches everything, as in Kubernetes', () => {
    for (const empty of ['', '  ']) expect([selects(empty, {}), selects(empty, { a: 'b' })]).toEqual([true, true])
  })

  test('what every object inherits is no label', () => {
    for (const key of ['constructor', 'toString', 'hasOwnProperty']) {
      expect(selects(key, {})).toBe(false)
      expect(selects(`!${key}`, {})).toBe(true)
      expect(selects(`${key}!=x`, {})).toBe(true)
    }
  })

  test.each([
    ['role=builder,=x', '"=x"'],
    ['role=a b', '"role=a b"'],
    ['a=b=c', '"a=b=c"'],
    ['!a=b', '"!a=b"'],
    ['region in eu', '"region in eu"'],
    ['region in (eu', '"region in (eu"'],
    ['region in (eu))', '"region in (eu))"'],
    ['region in (a b)', '"region in (a b)"'],
    ['ok,region on (eu)', '"region on (eu)"'],
    ['a=b,', '""'],
    [',a=b', '""'],
    ['a=b,,c', '""'],
    ['-a=b', '"-a=b"'],
    ["a='b'", `"a='b'"`],
    ['a=ü', '"a=ü"'],
    ['role=builder\nor=1', '"role=builder\nor=1"'],
  ])('%j is refused and the part %s is named, with the grammar', (selector, part) => {
    const parsed = parseSelector(selector)
    expect(parsed.ok).toBe(false)
    if (!parsed.ok) {
      expect(parsed.reason).toContain(`cannot read ${part}`)
      expect(parsed.reason).toContain('key in (a,b)')
    }
  })

  test('a hostile text of the longest length is answered at once', () => {
    const start = performance.now()
    for (const text of [
      'a'.repeat(1024),
      ' '.repeat(1024),
      `${'a '.repeat(500)}in`,
      '('.repeat(1024),
      `a in (${','.repeat(1000)}`,
    ])
      parseSelector(text)
    expect(performance.now() - start).toBeLessThan(500)
  })
})
