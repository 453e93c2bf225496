import { expect, test } from 'vitest'
import { createLiveOutput, textsOf } from '../../device/agents/tool-output.ts'

const whole = (stdout: string, stderr = '') => textsOf({ stdout, stderr, exit_code: 0 })

test.each([
  ['nothing had come', [], whole('hello', 'world'), whole('hello', 'world')],
  ['all of it had', [['stdout', 'hello\n']], whole('hello'), []],
  ['one of the two had', [['stderr', 'world\n']], whole('hello', 'world'), whole('hello')],
  ['the end is missing', [['stdout', 'one\n']], whole('one\ntwo'), whole('two')],
  ['what was told is something else, as of a tool that shortens it', [['stdout', 'x']], whole('one … two'), []],
] as const)('%s', (_, came, over, rest) => {
  const live = createLiveOutput()
  for (const [stream, text] of came) live.took({ id: 'c', stream, text })
  expect(live.rest('c', over)).toEqual(rest)
  expect(live.rest('c', []), 'and it is forgotten').toEqual([])
})

test('a result that is a text, or nothing', () => {
  expect([textsOf('all'), textsOf(''), textsOf(null), textsOf({ rows: 5 })]).toEqual([
    [{ stream: 'stdout', text: 'all' }],
    [],
    [],
    [],
  ])
})
