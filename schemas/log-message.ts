import { LogChunk, LogHead } from './exchange.ts'

/** A message of a log whose records were not looked into: `records` is their JSON, as it came. */
export interface LogMessage {
  head: LogHead
  records: Uint8Array
}

/**
 * Reads what stands before the records, and leaves those alone: a flood of lines costs no parsing where nobody reads them. Whoever reads them checks them.
 * Undefined for what is no message of a log.
 */
export const readLogMessage = (payload: Uint8Array): LogMessage | undefined => {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const cut = bytes.indexOf(recordsKey)
  if (cut < 0) return undefined
  const records = bytes.subarray(cut + recordsKey.length, -1)
  // What our devices send: the records come last, and nothing is between the brackets.
  if (bytes.at(-1) === brace && records[0] === open && records.at(-1) === close) {
    const head = LogHead.safeParse(readJson(`${bytes.toString('utf8', 0, cut).replace(/,\s*$/, '')}}`))
    if (head.success) return { head: head.data, records }
  }
  const whole = LogChunk.safeParse(readJson(bytes.toString('utf8')))
  if (!whole.success) return undefined
  const { records: list, ...head } = whole.data
  return { head, records: Buffer.from(JSON.stringify(list)) }
}

const recordsKey = Buffer.from('"records":')
const [open, close, brace] = Buffer.from('[]}')

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema refuses it
  }
}
