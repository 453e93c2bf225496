import { closeSync, ftruncateSync, openSync, readFileSync, writevSync } from 'node:fs'
import { join } from 'node:path'

export interface Frame {
  stream: 'o' | 'e'
  offset: number
  bytes: Uint8Array
}

type Offsets = { o: number; e: number }

/** Bytes that were read from the pipes and are not in the journal yet: reading a pipe destroys, so they are kept here first. */
export interface Tail {
  /** What an earlier daemon has left, in order of each stream. A torn last frame is not among them. */
  readonly left: readonly Frame[]
  append(frame: Frame): void
  /** Up to here all is in the journal: frames that lie before are dropped. */
  covered(offsets: Offsets): void
  close(): void
}

const headerBytes = 13
// Two files in turns: while a program never stops to write, the one that is covered can be emptied.
const names = ['tail', 'tail-2'] as const
const turnBytes = 4 * 1024 * 1024

export const openTail = (folder: string): Tail => {
  const files = names.map((name) => tailFile(join(folder, name)))
  const left = files.flatMap((file) => file.left).sort((a, b) => a.offset - b.offset)
  let [current, other] = files
  return {
    left,
    append: (frame) => {
      if (current && other && current.size() > turnBytes && other.size() === 0) [current, other] = [other, current]
      current?.append(frame)
    },
    covered: (offsets) => {
      for (const file of files) file.covered(offsets)
    },
    close: () => {
      for (const file of files) file.close()
    },
  }
}

const tailFile = (path: string) => {
  let fd: number | undefined
  let size = 0
  const end = { o: 0, e: 0 }
  const left = readFrames(path)
  if (left.length > 0) {
    for (const frame of left) note(frame)
    fd = openSync(path, 'a', 0o600)
    ftruncateSync(fd, size)
  }
  function note(frame: Frame): void {
    size += headerBytes + frame.bytes.length
    end[frame.stream] = frame.offset + frame.bytes.length
  }
  return {
    left,
    size: () => size,
    append: (frame: Frame): void => {
      fd ??= openSync(path, 'a', 0o600)
      const header = Buffer.allocUnsafe(headerBytes)
      header.writeUInt8(frame.stream === 'o' ? 1 : 2, 0)
      header.writeBigUInt64LE(BigInt(frame.offset), 1)
      header.writeUInt32LE(frame.bytes.length, 9)
      const written = writevSync(fd, [header, frame.bytes])
      // A frame that does not fit on the disk must not stand before the next one.
      if (written < headerBytes + frame.bytes.length) ftruncateSync(fd, size)
      else note(frame)
    },
    covered: (offsets: Offsets): void => {
      if (fd === undefined || size === 0 || end.o > offsets.o || end.e > offsets.e) return
      ftruncateSync(fd, 0)
      size = 0
    },
    close: (): void => {
      if (fd !== undefined) closeSync(fd)
      fd = undefined
    },
  }
}

const readFrames = (path: string): Frame[] => {
  const bytes = readIfThere(path)
  const frames: Frame[] = []
  for (let at = 0; at + headerBytes <= bytes.length; ) {
    const end = at + headerBytes + bytes.readUInt32LE(at + 9)
    const mark = bytes.readUInt8(at)
    if (end > bytes.length || (mark !== 1 && mark !== 2)) break
    const offset = Number(bytes.readBigUInt64LE(at + 1))
    frames.push({ stream: mark === 1 ? 'o' : 'e', offset, bytes: bytes.subarray(at + headerBytes, end) })
    at = end
  }
  return frames
}

const readIfThere = (path: string): Buffer => {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
