import { isUtf8 } from 'node:buffer'
import { execFile } from 'node:child_process'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import type { LogRecord } from '../../../schemas/log.ts'
import type { WorkloadSpec } from '../../../schemas/workload.ts'
import { chosen, type LogQuestion, type WorkloadLog } from './workload-log.ts'

export interface FileLogDeps {
  path: string
  spec: Pick<WorkloadSpec, 'log'>
  report: (error: unknown) => void
}

const pageBytes = 64 * 1024

/**
 * A log that the program writes into a file by itself. The number of a record is the offset behind its line, and its time that of the
 * file's last write: nobody has seen the line come. Such a file cannot be rotated while it is written, so what is over the budget is taken from
 * its beginning: a hole is punched there, and offsets stay what they are.
 */
export const openFileLog = ({ path, spec, report }: FileLogDeps): WorkloadLog => {
  const budget = spec.log.max_file_mb * 1024 * 1024 * spec.log.max_files
  let isTrimming = false

  const sizeOf = (): { size: number; held: number; at: number } => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat ? { size: stat.size, held: stat.blocks * 512, at: stat.mtimeMs } : { size: 0, held: 0, at: 0 }
  }
  /** Where what is still there begins, as well as the number of blocks tells. */
  const firstOf = ({ size, held }: { size: number; held: number }): number => Math.max(0, size - Math.max(held, 4096))

  const punch = (bytes: number): void => {
    if (isTrimming || bytes <= 0) return
    isTrimming = true
    execFile('fallocate', ['--punch-hole', '--offset', '0', '--length', String(bytes), path], (error) => {
      isTrimming = false
      if (error) report(error)
    })
  }
  const trim = (): number => {
    const facts = sizeOf()
    if (facts.held <= budget) return 0
    punch(facts.size - budget)
    return facts.held - budget
  }

  const read = (from: number, length: number): Buffer => {
    const fd = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(length)
      return bytes.subarray(0, readSync(fd, bytes, 0, length, from))
    } finally {
      closeSync(fd)
    }
  }

  /** Whole lines from an offset on; what a hole has left of a line is skipped. */
  const linesFrom = (offset: number, at: number): LogRecord[] => {
    const bytes = read(offset, pageBytes)
    const records: LogRecord[] = []
    let start = 0
    while (start < bytes.length && bytes[start] === 0) start++
    if (start > 0) start = Math.max(start, bytes.indexOf(newline, start) + 1)
    for (let end = bytes.indexOf(newline, start); end >= 0; end = bytes.indexOf(newline, start)) {
      records.push([offset + end + 1, at, 'o', textOf(bytes.subarray(start, end))])
      start = end + 1
    }
    // A line longer than a page, or one that is not finished: given as far as it goes.
    if (records.length === 0 && bytes.length === pageBytes)
      records.push([offset + bytes.length, at, 'o', textOf(bytes.subarray(start)), 1])
    return records
  }

  /** The offset before the last lines. */
  const beforeLast = (lines: number, first: number, size: number): number => {
    let found = 0
    for (let end = size; end > first; ) {
      const from = Math.max(first, end - pageBytes)
      const bytes = read(from, end - from)
      for (let at = bytes.length - 1; at >= 0; at--) {
        if (bytes[at] !== newline || from + at + 1 === size) continue
        if (++found === lines) return from + at + 1
      }
      end = from
    }
    return first
  }

  return {
    // Nothing of it comes this way.
    push: () => {},
    say: () => {},
    end: () => {},
    isFull: () => false,
    page: async (question: LogQuestion) => {
      const facts = sizeOf()
      if (facts.size === 0) return { records: [], next: 0, first: 1, last: 0 }
      const first = firstOf(facts)
      const from =
        question.tail === undefined
          ? question.after
          : question.tail === 0
            ? facts.size
            : beforeLast(question.tail, first, facts.size)
      const start = Math.max(from, question.after, first)
      const found = chosen(linesFrom(start, facts.at), question)
      return { records: found.records, next: found.records.at(-1)?.[0] ?? start, first: first + 1, last: facts.size }
    },
    last: () => sizeOf().size,
    bytes: () => {
      trim()
      return sizeOf().held
    },
    dropOldest: () => {
      const { size, held } = sizeOf()
      if (held < pageBytes) return 0
      const half = Math.floor(held / 2)
      punch(size - half)
      return half
    },
    release: () => {},
  }
}

const newline = 10
const textOf = (bytes: Buffer): string | { b64: string } =>
  isUtf8(bytes) ? bytes.toString('utf8') : { b64: bytes.toString('base64') }
