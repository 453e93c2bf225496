import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { yamlOf } from '../../dashboard/web/format/yaml.ts'

describe('a value as YAML', () => {
  test('yamlOf() is read as the same value', () => {
    const values: unknown[] = [
      { command: ['sh', '-c', 'echo "a"; exit 3'], env: { A: '1', B: 'x=y', C: '' }, cwd: '/var/lib' },
      { script: '#!/bin/sh\nset -e\n\necho "one: two"\n  indented\n' },
      { script: 'no newline at its end\nreally' },
      { script: 'ends in two\n\n' },
      { script: '  begins with blanks\nx' },
      { text: 'tab\there\nand \u0007 bell' },
      { a: null, b: true, c: 1.5, d: [], e: {}, f: [[1, 2], [{ x: 1, y: [2] }], 'z'] },
      {
        words: [
          'true',
          'null',
          'no',
          '1',
          '- x',
          'a: b',
          '# c',
          '',
          ' x',
          'x ',
          '@x',
          '.5',
          '.inf',
          '~',
          '0x1f',
          'y',
          '1e3',
          '=',
          '%x',
        ],
      },
      { list: [{ name: 'files', args: ['-y'] }, { name: 'other' }] },
      { 'a b': 1, 'c:d': 2, '': 3, '- e': 4, __proto: 5 },
      ['x', { y: 1 }],
      { command: ['sh', '-c', 'two\nlines'], deep: [['a\nb\n']] },
      'word',
      'two\nlines\n',
      12,
    ]
    for (const value of values) expect(parse(yamlOf(value)), yamlOf(value)).toEqual(value)
  })

  test('yamlOf() keeps the lines of a text', () => {
    expect(yamlOf({ script: '#!/bin/sh\necho\n', m: 1 })).toBe('script: |\n  #!/bin/sh\n  echo\nm: 1')
  })

  test('yamlOf() leaves out what is not there', () => {
    expect(yamlOf({ a: undefined, b: 1 })).toBe('b: 1')
    expect(yamlOf(undefined)).toBe('')
  })
})
