import { bold, dim, inverse, italic, plainStyle, type Style, strike, trueColour, underline } from './sgr.ts'

/** What a span gets: names of classes, and its colours if the style sheet does not have them. */
export interface Paint {
  classes: string
  colours?: Colours
}
type Colours = Readonly<Record<'--light' | '--dark' | '--behind', string>>

/** What is behind a log, in the light and in the dark. */
const light = 0xfbfcfc
const dark = 0x101716

/**
 * How a style is shown so that it can be read, in the light and in the dark. The sixteen colours of a terminal are the style sheet's; all
 * others are given as they are, unless they are too near to what is behind them.
 */
export const paintOf = (style: Style): Paint | undefined => {
  if (style === plainStyle) return undefined
  const { attributes } = style
  const classes: string[] = names.flatMap(([bit, name]) => (attributes & bit ? [name] : []))
  const isInverse = (attributes & inverse) !== 0
  const fg = isInverse ? style.bg : style.fg
  const bg = isInverse ? style.fg : style.bg
  if (bg < 0) {
    if (isInverse) classes.push('a-inverse')
    else if (fg >= 0 && fg < 16) classes.push(`a-${fg}`)
    else if (fg >= 16)
      return { classes: join(classes, 'a-own'), colours: coloursOf(readable(rgbOf(fg), light), readable(rgbOf(fg), dark)) }
    return { classes: classes.join(' ') }
  }
  const behind = rgbOf(bg)
  const front = readable(fg < 0 ? (brightness(behind) > 0.18 ? 0 : 0xffffff) : rgbOf(fg), behind)
  return { classes: join(classes, 'a-own a-behind'), colours: coloursOf(front, front, behind) }
}

const names: readonly (readonly [bit: number, name: string])[] = [
  [bold, 'a-bold'],
  [dim, 'a-dim'],
  [italic, 'a-italic'],
  [underline, 'a-underline'],
  [strike, 'a-strike'],
]

const join = (classes: readonly string[], more: string): string => [...classes, more].join(' ')

const coloursOf = (inLight: number, inDark: number, behind = 0): Colours => ({
  '--light': hex(inLight),
  '--dark': hex(inDark),
  '--behind': hex(behind),
})
const hex = (rgb: number): string => `#${rgb.toString(16).padStart(6, '0')}`

/** The sixteen colours where something is behind them, as xterm has them. */
const sixteen = [
  0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
  0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
]

/** A colour of the palette, which goes on with a cube of 216 colours and 24 shades of grey; or one of its own. */
export const rgbOf = (colour: number): number => {
  if (colour >= trueColour) return colour - trueColour
  if (colour < 16) return sixteen[colour] ?? 0
  if (colour >= 232) return (8 + (colour - 232) * 10) * 0x010101
  const level = (n: number): number => (n === 0 ? 0 : 55 + n * 40)
  const n = colour - 16
  return (level(Math.floor(n / 36)) << 16) + (level(Math.floor(n / 6) % 6) << 8) + level(n % 6)
}

/** The colour itself, or the nearest on the way to black or white that stands out from what is behind it [WCAG 2.2, 1.4.3]. */
export const readable = (rgb: number, behind: number): number => {
  const towards = brightness(behind) > 0.18 ? 0 : 255
  for (let step = 0; step < 10; step++) {
    const mixed = mix(rgb, towards, step / 10)
    if (contrast(mixed, behind) >= 4.5) return mixed
  }
  return towards * 0x010101
}

const partsOf = (rgb: number): readonly [number, number, number] => [rgb >> 16, (rgb >> 8) & 255, rgb & 255]

const mix = (rgb: number, towards: number, part: number): number => {
  const [r, g, b] = partsOf(rgb).map((one) => Math.round(one + (towards - one) * part))
  return ((r ?? 0) << 16) + ((g ?? 0) << 8) + (b ?? 0)
}

/** Relative luminance, from 0 to 1. */
const brightness = (rgb: number): number => {
  const [r, g, b] = partsOf(rgb).map((one) => (one <= 10 ? one / 3294 : ((one / 255 + 0.055) / 1.055) ** 2.4))
  return 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0)
}

export const contrast = (a: number, b: number): number => {
  const [more, less] = [brightness(a), brightness(b)].sort((x, y) => y - x)
  return ((more ?? 0) + 0.05) / ((less ?? 0) + 0.05)
}
