import { plainPieces, plainText } from '../format/plain-text.ts'

interface PlainProps {
  text: string
  /** One line that ends in an ellipsis where there is no room; the whole text is in the title. */
  cut?: boolean
  /** Keeps newlines and tabs. */
  lines?: boolean
  /** In the type of ids and logs. */
  mono?: boolean
}

/**
 * A text from devices or people, shown as text: its direction stays within it, and characters that would not be seen, or would move
 * what is around them, are shown as marks.
 */
export const Plain = ({ text, cut = false, lines = false, mono = false }: PlainProps) => {
  const names = ['plain', cut && 'plain-cut', lines && 'plain-lines', mono && 'mono'].filter(Boolean).join(' ')
  return (
    <bdi class={names} title={cut ? plainText(text) : undefined}>
      {plainPieces(text, { lines }).map((piece, index) =>
        piece.kind === 'text' ? (
          piece.text
        ) : (
          <span key={index} class="plain-mark">
            {piece.text}
          </span>
        ),
      )}
    </bdi>
  )
}
