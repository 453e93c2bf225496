/** How a piece of text is to look. Colours are -1 for none, 0 to 255 for those of the palette, or `trueColour` plus red, green and blue. */
export interface Style {
  readonly fg: number
  readonly bg: number
  /** Any of the bits below. */
  readonly attributes: number
}

export const bold = 1
export const dim = 2
export const italic = 4
export const underline = 8
export const inverse = 16
export const strike = 32
export const trueColour = 0x1000000

export const plainStyle: Style = { fg: -1, bg: -1, attributes: 0 }

const turnsOn: Readonly<Record<number, number>> = {
  1: bold,
  2: dim,
  3: italic,
  4: underline,
  7: inverse,
  9: strike,
  21: underline,
}
const turnsOff: Readonly<Record<number, number>> = { 22: bold | dim, 23: italic, 24: underline, 27: inverse, 29: strike }

/** The style after `ESC [ … m`, whose parameters these are; what is not known changes nothing [ECMA-48, 8.3.117]. */
export const styleAfter = (style: Style, parameters: string): Style => {
  let { fg, bg, attributes } = style
  const codes = parameters.split(';')
  for (let i = 0; i < codes.length; i++) {
    const [head = '', ...parts] = (codes[i] ?? '').split(':')
    const code = Number(head)
    if (code === 38 || code === 48) {
      const { colour, used } = parts.length > 0 ? { colour: colourOf(parts), used: 0 } : colourAfter(codes, i + 1)
      i += used
      if (colour < 0) continue
      if (code === 38) fg = colour
      else bg = colour
    } else if (code === 0) {
      fg = bg = -1
      attributes = 0
    } else if (code === 4 && parts[0] === '0') attributes &= ~underline
    else if (turnsOn[code]) attributes |= turnsOn[code]
    else if (turnsOff[code]) attributes &= ~turnsOff[code]
    else if (code >= 30 && code <= 37) fg = code - 30
    else if (code >= 90 && code <= 97) fg = code - 82
    else if (code >= 40 && code <= 47) bg = code - 40
    else if (code >= 100 && code <= 107) bg = code - 92
    else if (code === 39) fg = -1
    else if (code === 49) bg = -1
  }
  return fg === -1 && bg === -1 && attributes === 0 ? plainStyle : { fg, bg, attributes }
}

/** `5;n` or `2;r;g;b`, and how many codes that took. */
const colourAfter = (codes: readonly string[], at: number): { colour: number; used: number } => {
  if (codes[at] === '5') return { colour: colourOf(['5', codes[at + 1] ?? '']), used: 2 }
  if (codes[at] === '2') return { colour: colourOf(codes.slice(at, at + 4)), used: 4 }
  return { colour: -1, used: 0 }
}

/** `5:n`, `2:r:g:b`, or that with a colour space before the three. */
const colourOf = ([kind, ...numbers]: readonly string[]): number => {
  if (kind === '5') return byteOf(numbers[0])
  const [r, g, b] = numbers.slice(-3).map(byteOf)
  if (kind !== '2' || r === undefined || g === undefined || b === undefined || r < 0 || g < 0 || b < 0) return -1
  return trueColour + (r << 16) + (g << 8) + b
}

const byteOf = (text: string | undefined): number =>
  text !== undefined && /^\d{1,3}$/.test(text) && Number(text) < 256 ? Number(text) : -1
