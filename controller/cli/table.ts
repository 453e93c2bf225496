/** A table for people: aligned columns under a heading, the last one cut where the terminal ends. */
export const tableOf = (
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: { columns: number; colours: boolean } | undefined,
): string => {
  const lines = [heading, ...rows].map((row) => row.map(plain))
  const widths = heading.map((_, i) => Math.max(...lines.map((row) => (row[i] ?? '').length)))
  return lines
    .map((row, n) => {
      const line = row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd()
      const fitting = terminal && line.length > terminal.columns ? `${line.slice(0, Math.max(1, terminal.columns - 1))}…` : line
      return n === 0 && terminal?.colours ? `\u001b[1m${fitting}\u001b[0m\n` : `${fitting}\n`
    })
    .join('')
}

/** Facts, one to a line. */
export const factsOf = (facts: readonly (readonly [string, string | number | null | undefined])[]): string => {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${plain(String(value))}\n`).join('')
}

/** Text from tasks and devices without what would move a terminal's cursor. */
export const plain = (text: string): string =>
  [...text].map((char) => (/\p{Cc}/u.test(char) ? (char === '\n' || char === '\t' ? ' ' : '�') : char)).join('')

/** How long ago, in one unit. */
export const ago = (at: string | null, now: number): string => {
  if (at === null) return '-'
  const seconds = Math.round((now - Date.parse(at)) / 1000)
  return seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`
}

const span = (seconds: number): string => {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}
