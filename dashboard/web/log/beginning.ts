import type { LogRecord } from '../../../schemas/log.ts'
import { isGap } from './log-store.ts'

/** Where a log begins to be shown. */
export interface Beginning {
  /** The index of its first line. */
  index: number
  /** Older lines are not here, and how many is not known. */
  isCut: boolean
}

/**
 * Where a log begins that begins with these records. Their numbers count them from 1 on. Only those of a file that a workload writes by
 * itself are the bytes up to the end of each line, and tell nothing but whether there are any before the first.
 */
export const beginningOf = (records: readonly LogRecord[]): Beginning => {
  const [first] = records
  if (!first) return { index: 0, isCut: false }
  const before = first[0] - sizeOf(first)
  // Of a single record both may be meant: nothing before it is right either way.
  if (isOfBytes(records) || (records.length === 1 && before === 0)) return { index: 0, isCut: before > 0 }
  const [number, , , content] = first
  return { index: Math.max(0, (isGap(content) ? content.dropped.from : number) - 1), isCut: false }
}

const isOfBytes = (records: readonly LogRecord[]): boolean =>
  records.some((record, i) => {
    const step = record[0] - (records[i - 1]?.[0] ?? record[0])
    return step > 1 && step === sizeOf(record)
  })

/** How many bytes a record adds to its file, newline included. */
const sizeOf = ({ 3: content, length }: LogRecord): number => {
  const newline = length === 5 ? 0 : 1
  if (typeof content === 'string') return encoder.encode(content).length + newline
  return 'b64' in content && typeof content.b64 === 'string' ? atob(content.b64).length + newline : 0
}

const encoder = new TextEncoder()
