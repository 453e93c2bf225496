/** A piece of a text: as it is, or a mark in place of a character that would not be seen or would move what is around it. */
export type PlainPiece = { kind: 'text'; text: string } | { kind: 'mark'; text: string }

/**
 * Control characters, bidirectional controls, invisible spaces, tags and halves of pairs. The joiners U+200C and U+200D stay: scripts
 * and emoji need them, and they move nothing.
 */
const unseen =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/gu

/** Splits a text from outside into what can be shown as it is and marks for the rest. With `lines` newlines and tabs stay. */
export const plainPieces = (text: string, { lines = false }: { lines?: boolean } = {}): PlainPiece[] => {
  const pieces: PlainPiece[] = []
  let end = 0
  for (const found of text.matchAll(unseen)) {
    const [character] = found
    if (lines && (character === '\n' || character === '\t')) continue
    if (found.index > end) pieces.push({ kind: 'text', text: text.slice(end, found.index) })
    pieces.push({ kind: 'mark', text: markOf(character) })
    end = found.index + character.length
  }
  if (end < text.length) pieces.push({ kind: 'text', text: text.slice(end) })
  return pieces
}

/** The same in one string, for titles, labels and wherever no element fits. */
export const plainText = (text: string): string =>
  plainPieces(text)
    .map((piece) => piece.text)
    .join('')

/** Unicode has a picture of each of the oldest control characters; the others are named. */
const markOf = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return '\u2421'
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`
}
