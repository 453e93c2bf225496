import { plainStyle, type Style, styleAfter } from './sgr.ts'

/** A piece of a line in one style. */
export interface Span {
  text: string
  style: Style
}

/**
 * One escape sequence [ECMA-48, 5.3 to 5.6]: a function, whose parameters and last letter are of interest; one with a text of its own, as
 * titles and links have; or two letters. One whose end is missing hides nothing but its beginning.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const sequence = /\x1b(?:\[([0-?]*)[ -/]*([@-~]|$)|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|[ -/]*[0-~])/y

/** How many lines a style reaches beyond the one in which it was set. */
const reach = 100

const isPlain = (text: string): boolean => !text.includes('\x1b') && !text.includes('\r')

/**
 * A line as a terminal would show it in the end: in colours, overwritten where the program has gone back to its beginning. Sequences
 * that move the cursor elsewhere, set a title or make a link have no effect. Other controls stay as they are.
 */
export const readLine = (text: string, from: Style = plainStyle): { spans: readonly Span[]; to: Style } => {
  if (isPlain(text)) return { spans: text === '' ? [] : [{ text, style: from }], to: from }
  // By characters, so that none is cut in two when it is overwritten.
  const cells: { char: string; style: Style }[] = []
  let cursor = 0
  let style = from
  for (let i = 0; i < text.length; ) {
    const char = String.fromCodePoint(text.codePointAt(i) ?? 0)
    sequence.lastIndex = i
    const found = char === '\x1b' ? sequence.exec(text) : null
    if (found) {
      const [whole, parameters = '', last] = found
      i += whole.length
      if (last === 'm' && !/[<-?]/.test(parameters)) style = styleAfter(style, parameters)
      // Those that go back to the beginning and erase are how a line is written again.
      else if (last === 'G') cursor = Math.min(cells.length, Math.max(0, (Number(parameters) || 1) - 1))
      else if (last === 'K' && parameters === '1') cells.fill({ char: ' ', style: plainStyle }, 0, cursor)
      else if (last === 'K') {
        if (parameters === '2') cursor = 0
        cells.length = cursor
      }
      continue
    }
    if (char === '\r') cursor = 0
    else cells[cursor++] = { char, style }
    i += char.length
  }
  return { spans: spansOf(cells), to: style }
}

/** The same without looks: what is searched and copied. */
export const textOfLine = (text: string): string =>
  isPlain(text) ? text : readLine(text).spans.reduce((all, span) => all + span.text, '')

/** The style with which a line begins: what the lines before it have left behind, of those that are near. `before(1)` is the last of them. */
export const styleBefore = (before: (back: number) => string | undefined): Style => {
  const pending: string[] = []
  for (let back = 1; back <= reach; back++) {
    const text = before(back)
    if (text === undefined) break
    const last = text.lastIndexOf('\x1b[')
    if (last < 0) continue
    pending.push(text)
    // Most lines leave nothing behind.
    if (text.startsWith('m', last + 2) || text.startsWith('0m', last + 2)) break
  }
  return pending.reduceRight((style, text) => readLine(text, style).to, plainStyle)
}

const spansOf = (cells: readonly { char: string; style: Style }[]): Span[] => {
  const spans: Span[] = []
  for (const { char, style } of cells) {
    const last = spans.at(-1)
    if (last?.style === style) last.text += char
    else spans.push({ text: char, style })
  }
  return spans
}
