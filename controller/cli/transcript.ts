import { bytesOf, type LogRecord } from '../../schemas/log.ts'
import type { Io } from './io.ts'
import { writeRecord } from './show.ts'

const keptBytes = 1024 * 1024

/** Where the output of a run goes: straight on, or, for `--json`, into the one document at the end. */
export const createTranscript = (io: Io, isKept: boolean) => {
  const kept = { o: createTail(), e: createTail(), s: createTail() }
  return {
    add: (record: LogRecord): void => {
      const stream = record[2] === 'a' ? 's' : record[2]
      if (isKept) kept[stream].add(bytesOf(record))
      else writeRecord(io, record)
    },
    texts: () => ({
      stdout: kept.o.text(),
      stderr: kept.e.text(),
      /** Whether only the end of it is here: the log has all of it. */
      output_cut: kept.o.isCut() || kept.e.isCut(),
    }),
  }
}

/** Keeps the last megabyte. */
const createTail = () => {
  let parts: Uint8Array[] = []
  let size = 0
  let isCut = false
  return {
    add: (bytes: Uint8Array): void => {
      parts.push(bytes)
      size += bytes.length
      // Cutting only now and then makes it cheap.
      if (size <= keptBytes * 2) return
      const tail = Buffer.concat(parts).subarray(-keptBytes)
      parts = [tail]
      size = tail.length
      isCut = true
    },
    text: (): string => Buffer.concat(parts).toString('utf8'),
    isCut: () => isCut,
  }
}
