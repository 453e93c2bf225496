import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'
import { readFrame } from './frames.ts'

export interface SegmentName {
  run: string
  index: number
}
export interface Segment extends SegmentName {
  size: number
  /** When it was last written, by this machine's clock. */
  at: number
}

/** Where the spool lies: a few files for each run, of which only the newest is written. Each call is done when it returns. */
export interface Segments {
  list(): Segment[]
  /** Begins a segment with these bytes, or throws and begins none. */
  begin(name: SegmentName, parts: readonly Uint8Array[]): void
  /** Has the newest segment of a run at hand for the next `append`. */
  prepare(name: SegmentName): void
  /** Adds to the newest segment of a run all of these bytes, or throws and adds none. */
  append(name: SegmentName, parts: readonly Uint8Array[]): void
  /** Reads from a position on; says how many bytes there were. */
  read(name: SegmentName, position: number, into: Uint8Array): number
  /** Puts other bytes in place of a segment, at once. */
  replace(name: SegmentName, bytes: Uint8Array): void
  /** Overwrites a few bytes within the newest segment, and cuts off what is behind `size`. */
  amend(name: SegmentName, position: number, bytes: Uint8Array, size: number): void
  remove(name: SegmentName): void
  /** Nothing more is added to this run. */
  seal(run: string): void
  close(): void
}

const spareMark = '.spare-'
const draftMark = '.draft-'

/** Segments as files of one folder, `<run>.<index>`. */
export const openSegments = (folder: string): Segments => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const newest = new Map<string, { index: number; fd: number; size: number }>()
  const pathOf = ({ run, index }: SegmentName): string => join(folder, `${run}.${index}`)
  let spares = 0
  let spare: { path: string; fd: number } | undefined

  /**
   * A new file takes half a millisecond, and what a daemon has read and not written is lost with it. So the next file is there
   * before it is needed, and gets its name when it has been written.
   */
  const haveSpare = (): { path: string; fd: number } => {
    if (spare) return spare
    const path = join(folder, `${spareMark}${process.pid}-${spares++}`)
    spare = { path, fd: openSync(path, 'a+', 0o600) }
    return spare
  }
  const prepareSpare = (): void => {
    try {
      haveSpare()
    } catch {
      // No room for it now: it is made when it is needed, and that failure is told.
    }
  }

  const seal = (run: string): void => {
    const known = newest.get(run)
    if (known) closeSync(known.fd)
    newest.delete(run)
  }

  const open = (name: SegmentName) => {
    const known = newest.get(name.run)
    if (known?.index === name.index) return known
    seal(name.run)
    const fd = openSync(pathOf(name), 'a+', 0o600)
    const one = { index: name.index, fd, size: fstatSync(fd).size }
    newest.set(name.run, one)
    return one
  }

  const amend: Segments['amend'] = (name, position, bytes, size) => {
    seal(name.run)
    const fd = openSync(pathOf(name), 'r+')
    try {
      if (bytes.length > 0) writeSync(fd, bytes, 0, bytes.length, position)
      ftruncateSync(fd, size)
    } finally {
      closeSync(fd)
    }
  }

  takeUpSpares(folder)
  prepareSpare()

  return {
    list: () =>
      readdirSync(folder).flatMap((file) => {
        const dot = file.lastIndexOf('.')
        if (dot <= 0) return []
        const { size, mtimeMs } = statSync(join(folder, file))
        return [{ run: file.slice(0, dot), index: Number(file.slice(dot + 1)), size, at: mtimeMs }]
      }),
    begin: (name, parts) => {
      const { path, fd } = haveSpare()
      writeAll(fd, 0, parts)
      try {
        // A spare with bytes in it says itself whose it is: a daemon killed here has lost nothing.
        renameSync(path, pathOf(name))
      } catch (error) {
        ftruncateSync(fd, 0)
        throw error
      }
      spare = undefined
      seal(name.run)
      newest.set(name.run, { index: name.index, fd, size: lengthOf(parts) })
      setImmediate(prepareSpare)
    },
    prepare: (name) => {
      try {
        open(name)
      } catch {
        // Opened when it is needed, and that failure is told.
      }
    },
    append: (name, parts) => {
      const one = open(name)
      writeAll(one.fd, one.size, parts)
      one.size += lengthOf(parts)
    },
    read: (name, position, into) => {
      const known = newest.get(name.run)
      if (known?.index === name.index) return readSync(known.fd, into, 0, into.length, position)
      const fd = openSync(pathOf(name), 'r')
      try {
        return readSync(fd, into, 0, into.length, position)
      } finally {
        closeSync(fd)
      }
    },
    replace: (name, bytes) => {
      if (newest.get(name.run)?.index === name.index) seal(name.run)
      const draft = join(folder, `${draftMark}${process.pid}`)
      try {
        writeFileSync(draft, bytes, { mode: 0o600 })
        renameSync(draft, pathOf(name))
      } catch (error) {
        unlinkIfThere(draft)
        // It makes room itself: over the bytes that go there is some, and behind them there may be none.
        if (!isNoRoom(error) || bytes.length > statSync(pathOf(name)).size) throw error
        amend(name, 0, bytes, bytes.length)
      }
    },
    amend,
    remove: (name) => {
      if (newest.get(name.run)?.index === name.index) seal(name.run)
      unlinkIfThere(pathOf(name))
    },
    seal,
    close: () => {
      for (const run of [...newest.keys()]) seal(run)
      if (!spare) return
      closeSync(spare.fd)
      unlinkIfThere(spare.path)
      spare = undefined
    },
  }
}

/** All or nothing: what does not fit on the disk must not stand before the next frame. */
const writeAll = (fd: number, size: number, parts: readonly Uint8Array[]): void => {
  let written = 0
  try {
    written = writevSync(fd, [...parts])
  } finally {
    if (written < lengthOf(parts)) ftruncateSync(fd, size)
  }
  if (written < lengthOf(parts)) throw Object.assign(new Error('Cannot write all of it: no space left'), { code: 'ENOSPC' })
}

const isNoRoom = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOSPC'

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, one) => sum + one.length, 0)

const unlinkIfThere = (path: string): void => {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/** A daemon was killed after it had written a new segment and before it had named it. */
const takeUpSpares = (folder: string): void => {
  for (const file of readdirSync(folder)) {
    const isDraft = file.startsWith(draftMark)
    if (!isDraft && !file.startsWith(spareMark)) continue
    const path = join(folder, file)
    const owner = isDraft ? undefined : ownerOf(path)
    if (owner) renameSync(path, join(folder, `${owner.run}.${owner.index}`))
    else unlinkIfThere(path)
  }
}

const ownerOf = (path: string): SegmentName | undefined => {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(128 * 1024)
    // Without a whole frame it belongs to nobody: the daemon was killed before.
    const first = readFrame(bytes.subarray(0, readSync(fd, bytes)), 0)
    return first?.frame.kind === 'state' ? first.frame : undefined
  } finally {
    closeSync(fd)
  }
}
