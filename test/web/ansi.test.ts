import { describe, expect, test } from 'vitest'
import { readLine, styleBefore, textOfLine } from '../../dashboard/web/log/ansi.ts'
import { contrast, paintOf, readable, rgbOf } from '../../dashboard/web/log/paint.ts'
import { bold, dim, inverse, italic, plainStyle, strike, trueColour, underline } from '../../dashboard/web/log/sgr.ts'

const esc = '\x1b'
const styled = (text: string) => readLine(text).spans.map(({ text, style }) => [text, style.fg, style.bg, style.attributes])

describe('colours of a terminal', () => {
  test('readLine() reads the sixteen colours and attributes', () => {
    expect(styled(`a${esc}[31mb${esc}[1;44mc${esc}[0md`)).toEqual([
      ['a', -1, -1, 0],
      ['b', 1, -1, 0],
      ['c', 1, 4, bold],
      ['d', -1, -1, 0],
    ])
    expect(styled(`${esc}[2;3;4;7;9mx${esc}[22;23my${esc}[24;27;29;97;100mz`)).toEqual([
      ['x', -1, -1, dim | italic | underline | inverse | strike],
      ['y', -1, -1, underline | inverse | strike],
      ['z', 15, 8, 0],
    ])
  })

  test('readLine() reads 256 colours and true ones, with semicolons and with colons', () => {
    expect(styled(`${esc}[38;5;208ma${esc}[48;2;1;2;3mb${esc}[38:2::255:0:16;1mc${esc}[48:5:9;39md`)).toEqual([
      ['a', 208, -1, 0],
      ['b', 208, trueColour + 0x010203, 0],
      ['c', trueColour + 0xff0010, trueColour + 0x010203, bold],
      ['d', -1, 9, bold],
    ])
  })

  test('readLine() takes no colour from what is none', () => {
    for (const broken of ['38', '38;5', '38;5;999', '38;2;1;2', '38;2;1;2;300', '38;7;1', '38:2:1', '999', '-1', 'x'])
      expect(styled(`${esc}[${broken}mx`).at(0)?.slice(1, 3)).toEqual([-1, -1])
    expect(styled(`${esc}[38;2;1;2;300;1mx`)).toEqual([['x', -1, -1, bold]])
  })

  test('readLine() removes all other sequences without effect', () => {
    const inert = [
      ...['[2J', '[H', '[10;20H', '[3A', '[?25l', '[?1049h', '[6n', '[>0c', '[!p', 'c', '7', '8', '(B', '=', 'M', '#8'],
      ...[
        ']0;title\x07',
        ']8;;https://example.org\x1b\\',
        ']8;;\x1b\\',
        ']52;c;aGVsbG8=\x07',
        'Pq#0;2;0\x1b\\',
        '_apc\x1b\\',
        '^pm\x1b\\',
      ],
      ...['[>4;2m', '[?4m', '[<1m'],
    ]
    for (const sequence of inert) expect(textOfLine(`a${esc}${sequence}b`), JSON.stringify(sequence)).toBe('ab')
    expect(styled(`a${esc}[>4;1mb`)).toEqual([['ab', -1, -1, 0]])
  })

  test('readLine() hides nothing behind a sequence that does not end', () => {
    expect(textOfLine(`a${esc}]0;never ended`)).toBe('a0;never ended')
    expect(textOfLine(`a${esc}[31`)).toBe('a')
    expect(textOfLine(`a${esc}`)).toBe(`a${esc}`)
    expect(textOfLine(`a${esc}${esc}[1mb`)).toBe(`a${esc}b`)
  })

  test('readLine() shows what a terminal shows in the end of a line that is written over', () => {
    expect(textOfLine('10 %\r50 %\r100 %')).toBe('100 %')
    expect(textOfLine('abcdef\rXY')).toBe('XYcdef')
    expect(textOfLine('done\r')).toBe('done')
    expect(textOfLine(`loading…\r${esc}[Kready`)).toBe('ready')
    expect(textOfLine(`one${esc}[2K${esc}[1Gtwo${esc}[2K${esc}[0Gthree`)).toBe('three')
    expect(textOfLine(`abc${esc}[1K`)).toBe('   ')
    expect(textOfLine('ab\r🦆')).toBe('🦆b')
    expect(styled(`${esc}[32mok\r${esc}[31mX`)).toEqual([
      ['X', 1, -1, 0],
      ['k', 2, -1, 0],
    ])
  })

  test('readLine() makes no long line of a short one', () => {
    expect(textOfLine(`a${esc}[999999999Gb`)).toBe('ab')
  })

  test('readLine() is fast enough for the worst', () => {
    const began = performance.now()
    for (const text of [
      `${esc}[`.repeat(8000),
      `${esc}]`.repeat(8000),
      `${esc}]x`.repeat(5000),
      `${esc}[K`.repeat(5000),
      '\r'.repeat(16_000),
    ])
      readLine(text)
    expect(performance.now() - began).toBeLessThan(500)
  })

  test('styleBefore() carries a style from line to line, within a bound', () => {
    const from = (lines: readonly string[]) => styleBefore((back) => lines.at(-back))
    expect(from([`${esc}[31mred`, 'still'])).toMatchObject({ fg: 1 })
    expect(from([`${esc}[31mred`, `${esc}[1mboth`])).toMatchObject({ fg: 1, attributes: bold })
    expect(from([`${esc}[31mred${esc}[0m`])).toBe(plainStyle)
    expect(from([`${esc}[31mred`, ...Array<string>(200).fill('')])).toBe(plainStyle)
    expect(from([])).toBe(plainStyle)
  })
})

describe('colours that can be read', () => {
  test('paintOf() leaves the sixteen to the style sheet', () => {
    expect(paintOf({ fg: 1, bg: -1, attributes: bold })).toEqual({ classes: 'a-bold a-1' })
    expect(paintOf(plainStyle)).toBeUndefined()
    expect(paintOf({ fg: -1, bg: -1, attributes: inverse })).toEqual({ classes: 'a-inverse' })
  })

  test('rgbOf() knows the palette', () => {
    expect([rgbOf(16), rgbOf(231), rgbOf(208), rgbOf(232), rgbOf(255), rgbOf(trueColour + 0x123456)]).toEqual([
      ...[0x000000, 0xffffff, 0xff8700, 0x080808, 0xeeeeee, 0x123456],
    ])
  })

  test('readable() never leaves a colour on its like', () => {
    for (const behind of [0xffffff, 0x000000, 0x14181d, 0x808080, 0xcd0000, 0xffff00])
      for (const colour of [0xffffff, 0x000000, 0x808080, 0x0000ff, 0xffff00, behind])
        expect(contrast(readable(colour, behind), behind)).toBeGreaterThanOrEqual(4.5)
    expect(readable(0x000000, 0xffffff)).toBe(0x000000)
  })

  test('paintOf() keeps text that is hidden in its own colour readable', () => {
    const paint = paintOf({ fg: 0, bg: 0, attributes: 0 })
    expect(paint?.colours).toMatchObject({ '--behind': '#000000' })
    expect(paint?.colours?.['--light']).not.toBe('#000000')
  })
})
