import { plainPieces } from '../format/plain-text.ts'
import { clockTime, exactTime } from '../format/relative-time.ts'
import { Icon } from '../parts/icon.tsx'
import { readLine } from './ansi.ts'
import { gapWords } from './gap-words.ts'
import { piecesOf } from './line-pieces.ts'
import type { LogLine } from './log-store.ts'
import { paintOf } from './paint.ts'
import type { Style } from './sgr.ts'

export type Times = 'off' | 'relative' | 'exact'

interface LogRowProps {
  line: LogLine
  /** The style that the lines before it have left behind. */
  style: Style
  times: Times
  /** When the log begins. */
  start: number
  wanted: RegExp | null
  isChosen: boolean
  /** It is the line found that one is at. */
  isCurrent: boolean
}

/** A line of a log with its number. Whatever a program wrote is text and nothing else. */
export const LogRow = ({ line, style, times, start, wanted, isChosen, isCurrent }: LogRowProps) => {
  const { index, at, stream, gap } = line
  const kind = gap ? 'gap' : stream
  const names = ['log-row', `log-${kind}`, isChosen && 'log-chosen', isCurrent && 'log-current'].filter(Boolean).join(' ')
  return (
    <div class={names}>
      <a class="log-number" href={`#L${index + 1}`} data-line={index} tabIndex={-1}>
        {index + 1}
      </a>
      {times !== 'off' && (
        <span class="log-time" title={exactTime(at)}>
          {times === 'exact'
            ? `${clockTime(at)}.${String(Math.floor(at) % 1000).padStart(3, '0')}`
            : `+${((at - start) / 1000).toFixed(3)}`}
        </span>
      )}
      <span class="log-stream" title={titles[kind]}>
        {gap ? <Icon name="warning" size={13} /> : signs[stream]}
      </span>
      {/* Who wrote it decides in which direction it is read, but not where it stands. */}
      <bdi class="log-text" dir="ltr">
        {gap ? gapWords(gap) : <Pieces line={line} style={style} wanted={wanted} />}
      </bdi>
    </div>
  )
}

const signs: Readonly<Record<LogLine['stream'], string>> = { o: '', e: 'E', s: 'S', a: '' }
const titles: Readonly<Record<string, string>> = { e: 'Standard error', s: 'Skein itself', gap: 'Lines are missing here' }

const Pieces = ({ line, style, wanted }: Pick<LogRowProps, 'line' | 'style' | 'wanted'>) => (
  <>
    {line.isRest && <span class="log-rest">↳ </span>}
    {piecesOf(readLine(line.text, style).spans, wanted).map((piece, index) => {
      const paint = paintOf(piece.style)
      const text = textOf(piece.text)
      if (!paint && !piece.isHit) return text
      const props = { class: paint?.classes, style: paint?.colours }
      return piece.isHit ? (
        <mark key={index} {...props}>
          {text}
        </mark>
      ) : (
        <span key={index} {...props}>
          {text}
        </span>
      )
    })}
  </>
)

/** A text with marks in the place of what cannot be seen. A tab is room, a newline within a line is none. */
const textOf = (text: string) =>
  plainPieces(text.replaceAll('\n', '\u240a'), { lines: true }).map((piece, index) =>
    piece.kind === 'text' ? (
      piece.text
    ) : (
      <span key={index} class="plain-mark">
        {piece.text}
      </span>
    ),
  )
