/** A word as a shell takes it: in quotes where it has to be. */
export const shellWord = (word: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

export type Split = { ok: true; words: readonly string[] } | { ok: false; reason: string }

/**
 * The words of a line as a shell splits them: quotes and backslashes count, and nothing else does, so a `$` or a `|` is a letter like any other.
 * Lines are joined, as if they were one.
 */
export const splitWords = (line: string): Split => {
  const words: string[] = []
  let word: string | undefined
  for (let i = 0; i < line.length; i++) {
    const char = line[i] ?? ''
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === "'") {
      const end = line.indexOf("'", i + 1)
      if (end < 0) return { ok: false, reason: 'A single quote is not closed' }
      word = (word ?? '') + line.slice(i + 1, end)
      i = end
    } else if (char === '"') {
      word ??= ''
      for (i++; line[i] !== '"'; i++) {
        if (i >= line.length) return { ok: false, reason: 'A double quote is not closed' }
        // Within double quotes a backslash counts before these only.
        if (line[i] === '\\' && /["\\$`]/.test(line[i + 1] ?? '')) i++
        word += line[i]
      }
    } else if (char === '\\') {
      if (i + 1 >= line.length) return { ok: false, reason: 'Nothing follows the backslash at the end' }
      i++
      // A line that ends in one goes on.
      if (line[i] !== '\n') word = (word ?? '') + line[i]
    } else word = (word ?? '') + char
  }
  if (word !== undefined) words.push(word)
  return { ok: true, words }
}
