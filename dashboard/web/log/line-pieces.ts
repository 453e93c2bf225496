import { type Span, textOfLine } from './ansi.ts'
import { placesIn } from './log-search.ts'
import type { Style } from './sgr.ts'

/** A piece of a line that looks the same all along. */
export interface LinePiece {
  text: string
  style: Style
  isHit: boolean
}

/** The spans of a line, cut where what is searched for begins and ends. */
export const piecesOf = (spans: readonly Span[], wanted: RegExp | null): readonly LinePiece[] => {
  const places = wanted ? placesIn(spans.map((span) => span.text).join(''), wanted) : []
  if (places.length === 0) return spans.map((span) => ({ ...span, isHit: false }))
  const pieces: LinePiece[] = []
  let start = 0
  let next = 0
  for (const { text, style } of spans) {
    const end = start + text.length
    let at = start
    while (at < end) {
      // Places before this one are over.
      while ((places[next]?.[1] ?? Number.POSITIVE_INFINITY) <= at) next++
      const [from, to] = places[next] ?? [end, end]
      const isHit = from <= at
      const until = Math.min(end, isHit ? to : from)
      pieces.push({ text: text.slice(at - start, until - start), style, isHit })
      at = until
    }
    start = end
  }
  return pieces
}

/** Lines as they are copied. */
export const copiedText = (lines: readonly string[]): string => lines.map((text) => `${textOfLine(text)}\n`).join('')
