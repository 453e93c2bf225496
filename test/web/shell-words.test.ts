import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { shellWord, splitWords } from '../../dashboard/web/format/shell-words.ts'

/** As a shell splits them. */
const byShell = (line: string): string[] =>
  execFileSync('sh', ['-c', `set -f; for word in ${line}; do printf '%s\\0' "$word"; done`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1)

describe('words of a shell', () => {
  test('splitWords() splits as a shell does', () => {
    for (const line of [
      `df -h /var`,
      `  a   b\tc  `,
      `'single quotes' "double quotes" plain`,
      `a'b c'd"e f"g`,
      `"a \\"quoted\\" word" 'it'\\''s'`,
      `back\\ slash \\'x\\' \\\\`,
      `"keeps \\n and \\\\ and \\\`"`,
      `'' "" x`,
      `'$HOME' '*' 'a;b|c&d'`,
      `ünï "cödé 🦆"`,
    ])
      expect(splitWords(line), line).toEqual({ ok: true, words: byShell(line) })
  })

  test('splitWords() takes what only a shell understands as letters', () => {
    expect(splitWords('echo $HOME | grep x && y > z')).toEqual({
      ok: true,
      words: ['echo', '$HOME', '|', 'grep', 'x', '&&', 'y', '>', 'z'],
    })
  })

  test('splitWords() joins lines that end in a backslash', () => {
    expect(splitWords('a \\\n  b\nc')).toEqual({ ok: true, words: ['a', 'b', 'c'] })
  })

  test('splitWords() tells what is not closed', () => {
    expect(splitWords(`a 'b`)).toMatchObject({ ok: false, reason: expect.stringMatching(/single quote/) })
    expect(splitWords(`a "b`)).toMatchObject({ ok: false, reason: expect.stringMatching(/double quote/) })
    expect(splitWords(`a "b\\`)).toMatchObject({ ok: false })
    expect(splitWords('a \\')).toMatchObject({ ok: false, reason: expect.stringMatching(/backslash/) })
  })

  test('shellWord() is read as the same word by a shell', () => {
    for (const word of ['plain', 'a b', `it's`, '$HOME', '', '*', '-n', 'a\nb', '🦆', '`x`', '!', '~', '"', '\\', '#', '{a,b}'])
      expect(byShell(shellWord(word)), word).toEqual([word])
  })
})
