const most = 256 * 1024 - 64
const filled = (piece: string, bytes = most): string => piece.repeat(Math.floor(bytes / piece.length))

const keys = (bytes: number, tail: string): string => {
  const lines: string[] = []
  for (let size = 0; size < bytes - 20; size += lines.at(-1)?.length ?? 0) lines.push(`k${lines.length.toString(36)}:${tail}\n`)
  return lines.join('')
}

/** Each line holds nine times what the one before it holds. */
const laughs = (line: (aliases: string, i: number) => string): string =>
  ['a0: &a0 {x: 1}', ...Array.from({ length: 20 }, (_, i) => line(Array(9).fill(`*a${i}`).join(', '), i + 1))].join('\n')

const stairs = Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')
const loops = (body: string): string => `{% for i in (1..1000) %}{% for j in (1..1000) %}${body}{% endfor %}{% endfor %}`
const text = (letter: string, count: number): string => `"${letter.repeat(count)}"`

/** Texts of at most 256 KB, but for the first, that would take seconds or gigabytes to read without care. */
export const bombs: Readonly<Record<string, string>> = {
  '200,000 keys': keys(1_500_000, ''),
  '60,000 keys': keys(most, ''),
  'keys with values': keys(most, ' 1'),
  '2,600 keys, as many as are looked at': keys(22_000, ' 1'),
  'the same key again and again': filled('a: 1\n', 20_000),
  'keys in one line': `{${filled('a,')}}`,
  'list of nothing': filled('- \n'),
  commas: `[${filled(',')}`,
  quotes: filled('"'),
  comments: filled('#\n'),
  documents: filled('---\n'),
  tags: `a: ${filled('!!str ')}`,
  anchors: Array.from({ length: 3000 }, (_, i) => `- &a${i} 1\n`).join(''),
  'deep lists': filled('['),
  'deep maps': filled('{a: '),
  'deep lists in blocks': filled('- '),
  'deep keys': filled('? '),
  'deep stairs': stairs,
  'billion laughs': laughs((aliases, i) => `a${i}: &a${i} [${aliases}]`),
  'billion laughs by merges': laughs((aliases, i) => `a${i}: &a${i} {<<: [${aliases}], k${i}: 1}`),
  'few aliases of much': `a: &a [${'x,'.repeat(3000)}]\nb: [${'*a,'.repeat(90)}]`,
  'few aliases of a long text': `a: &a ${text('x', 200_000)}\nb: [${'*a,'.repeat(90)}]`,
  'what holds itself': 'a: &a [*a, *a, *a]',
  'a list of 9,000 numbers for a command': `name: a\ntype: script\nrun_mode: forever\ncommand: [${'1,'.repeat(9000)}]`,
  'template: a long range': '{% for i in (1..100000000) %}x{% endfor %}',
  'template: loops of nothing': loops(''),
  'template: loops of a letter': loops('x'),
  'template: loops over a long list': `vars:\n  l: [${'1,'.repeat(9000)}]\n{% for a in vars.l %}{% for b in vars.l %}{% endfor %}{% endfor %}`,
  'template: doubled and doubled': `{% assign a = ${text('x', 10)} %}${'{% assign a = a | append: a %}'.repeat(40)}{{ a }}`,
  'template: replaced': `{% assign a = ${text('a', 100_000)} %}{{ a | replace: "a", ${text('b', 100_000)} }}`,
  'template: 40,000 of them': filled('{{ 1 }}'),
  'template: deep conditions': filled('{% if true %}'),
  'template: deep brackets': `{{ a${filled('[a')}}}`,
  'template: never closed': filled('{{ '),
  'template that makes laughs': `{% for i in (1..30) %}a{{ i }}: &a{{ i }} [{% for j in (1..9) %}*a{{ i | minus: 1 }}, {% endfor %}]\n{% endfor %}`,
}
