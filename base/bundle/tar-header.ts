import type { ReleaseEntry } from '../../schemas/release.ts'
import { manifestName } from './names.ts'

/** A tar is made of blocks of so many bytes. */
export const blockBytes = 512

/** What stands before an entry in a bundle (POSIX ustar, with one extended header where a name is long or not ASCII): never anything else. */
export const headerOf = (entry: ReleaseEntry): Buffer => {
  const link = 'link' in entry ? entry.link : ''
  const isPlain = isShort(entry.path) && isShort(link)
  const block = headerBlock({
    name: isPlain ? entry.path : standIn,
    link: isPlain || link === '' ? link : standIn,
    ...('link' in entry ? { mode: 0o777, size: 0, type: '2' } : { mode: modeOf(entry), size: entry.size, type: '0' }),
  })
  if (isPlain) return block
  const records = Buffer.from(record('path', entry.path) + (link === '' ? '' : record('linkpath', link)))
  const extended = headerBlock({ name: standIn, link: '', mode: 0o644, size: records.length, type: 'x' })
  return Buffer.concat([extended, records, Buffer.alloc(paddingOf(records.length)), block])
}

/** What stands before the manifest. */
export const manifestHeader = (size: number): Buffer =>
  headerBlock({ name: manifestName, link: '', mode: 0o644, size, type: '0' })

/** The mode of a file of a release. */
export const modeOf = ({ executable }: { executable: boolean }): number => (executable ? 0o755 : 0o644)

/** So many bytes fill the last block of so large a file. */
export const paddingOf = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes

/** The end of a tar. */
export const endBytes = 2 * blockBytes

/** What the header of an entry says; `undefined` if it is damaged, or none. */
export const readHeader = (block: Buffer) => {
  const text = (from: number, length: number): string => {
    const end = block.indexOf(0, from)
    return block.toString('utf8', from, end === -1 ? from + length : Math.min(end, from + length))
  }
  const number = (from: number, length: number): number => Number.parseInt(text(from, length).trim() || '0', 8)
  if (number(148, 8) !== checksumOf(block)) return undefined
  const prefix = text(257, 5) === 'ustar' ? text(345, 155) : ''
  return {
    name: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    link: text(157, 100),
    mode: number(100, 8),
    size: number(124, 12),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
  }
}

/** The name of what has its own in an extended header. */
const standIn = 'PaxHeader'
const isShort = (text: string): boolean => /^[\x20-\x7e]{0,100}$/.test(text)

/** A record of an extended header begins with its own length, which counts itself. */
const record = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  const guess = bytes + String(bytes).length
  const length = bytes + String(guess).length
  return `${length}${rest}`
}

const headerBlock = ({
  name,
  link,
  mode,
  size,
  type,
}: Record<'name' | 'link' | 'type', string> & Record<'mode' | 'size', number>) => {
  const block = Buffer.alloc(blockBytes)
  block.write(name, 0)
  block.write(`${octal(mode, 7)}\0`, 100)
  block.write(`${octal(0, 7)}\0${octal(0, 7)}\0`, 108) // the owner: nobody's name travels along
  block.write(`${octal(size, 11)}\0${octal(0, 11)}\0`, 124) // 11 digits are 8 GiB, twice of what a release may have; the time is always 0
  block.write(type, 156)
  block.write(link, 157)
  block.write('ustar\u000000', 257)
  block.write(`${octal(0, 7)}\0${octal(0, 7)}\0`, 329)
  block.write(`${octal(checksumOf(block), 6)}\0 `, 148)
  return block
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

/** The sum of all bytes of a header, with blanks where the sum itself stands. */
const checksumOf = (block: Buffer): number => {
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0
  return sum
}
