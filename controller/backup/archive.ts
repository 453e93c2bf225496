import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'

/** A file in an archive. Times and owners are not kept: whoever restores owns what was restored. */
export interface Entry {
  path: string
  bytes: number
  sha256: string
}

const block = 512
const chunkBytes = 1024 * 1024

/** Writes a tar archive (POSIX ustar) of regular files, each of mode 0600, and says what it wrote. */
export const writeArchive = (file: string) => {
  const fd = openSync(file, 'wx', 0o600)
  const entries: Entry[] = []
  const add = (path: string, bytes: number, read: (into: Buffer) => number): Entry => {
    writeSync(fd, headerOf(path, bytes))
    const hash = createHash('sha256')
    const chunk = Buffer.alloc(chunkBytes)
    let left = bytes
    while (left > 0) {
      const count = read(chunk.subarray(0, Math.min(chunk.length, left)))
      if (count === 0) throw new Error(`Cannot archive "${path}": it became shorter while it was read`)
      hash.update(chunk.subarray(0, count))
      writeSync(fd, chunk, 0, count)
      left -= count
    }
    writeSync(fd, Buffer.alloc(paddingOf(bytes)))
    const entry = { path, bytes, sha256: hash.digest('hex') }
    entries.push(entry)
    return entry
  }
  return {
    entries,
    addText: (path: string, text: string): Entry => {
      const bytes = Buffer.from(text)
      let at = 0
      return add(path, bytes.length, (into) => {
        const count = bytes.copy(into, 0, at)
        at += count
        return count
      })
    },
    addFile: (path: string, from: string, bytes: number): Entry => {
      const source = openSync(from, 'r')
      try {
        return add(path, bytes, (into) => readSync(source, into, 0, into.length, null))
      } finally {
        closeSync(source)
      }
    },
    /** Ends the archive; on return it is on the disk. */
    close: (): void => {
      writeSync(fd, Buffer.alloc(2 * block))
      fsyncSync(fd)
      closeSync(fd)
    },
    abandon: (): void => closeSync(fd),
  }
}

/** Reads an archive from its beginning to its end; `take` is given each file, and says where its bytes go, if anywhere. */
export const readArchive = (
  file: string,
  take: (path: string, bytes: number) => ((chunk: Buffer) => void) | undefined,
): Entry[] => {
  const fd = openSync(file, 'r')
  const entries: Entry[] = []
  const readFully = (buffer: Buffer): boolean => {
    for (let at = 0; at < buffer.length; ) {
      const count = readSync(fd, buffer, at, buffer.length - at, null)
      if (count === 0) return false
      at += count
    }
    return true
  }
  try {
    const header = Buffer.alloc(block)
    const chunk = Buffer.alloc(chunkBytes)
    for (;;) {
      if (!readFully(header)) throw new Error(`"${file}" is cut off`)
      if (header.every((byte) => byte === 0)) return entries
      const { path, bytes } = readHeader(file, header)
      const put = take(path, bytes)
      const hash = createHash('sha256')
      for (let left = bytes; left > 0; ) {
        const part = chunk.subarray(0, Math.min(chunk.length, left))
        if (!readFully(part)) throw new Error(`"${file}" is cut off within "${path}"`)
        hash.update(part)
        put?.(part)
        left -= part.length
      }
      if (!readFully(Buffer.alloc(paddingOf(bytes)))) throw new Error(`"${file}" is cut off behind "${path}"`)
      entries.push({ path, bytes, sha256: hash.digest('hex') })
    }
  } finally {
    closeSync(fd)
  }
}

const paddingOf = (bytes: number): number => (block - (bytes % block)) % block

const headerOf = (path: string, bytes: number): Buffer => {
  const header = Buffer.alloc(block)
  if (Buffer.byteLength(path) > 99) throw new Error(`Cannot archive "${path}": its path is too long`)
  header.write(path, 0)
  header.write('0000600\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  // 11 octal digits are 8 GiB; beyond that the number stands in binary, as GNU tar and POSIX readers take it.
  if (bytes < 8 ** 11) header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124)
  else {
    header[124] = 0x80
    header.writeBigUInt64BE(BigInt(bytes), 128)
  }
  header.write('00000000000\0', 136)
  header.write('0', 156)
  header.write('ustar\u000000', 257)
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

const readHeader = (file: string, header: Buffer): { path: string; bytes: number } => {
  const textAt = (from: number, length: number): string => header.toString('utf8', from, from + length).replace(/\0.*$/s, '')
  if (textAt(257, 5) !== 'ustar' || Number.parseInt(textAt(148, 8), 8) !== checksumOf(header))
    throw new Error(`"${file}" is no archive, or damaged`)
  const path = textAt(0, 100)
  if (textAt(156, 1) !== '0' || path.startsWith('/') || path.split('/').includes('..'))
    throw new Error(`"${file}" has what no backup has: "${path}"`)
  const bytes = header[124] === 0x80 ? Number(header.readBigUInt64BE(128)) : Number.parseInt(textAt(124, 12), 8)
  return { path, bytes }
}

/** The sum of all bytes of the header, with blanks where the sum itself stands. */
const checksumOf = (header: Buffer): number => header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0)
