import { z } from 'zod'

/** Where a record came from: the program's output, its errors, Skein itself; or an agent, whose records are events. */
export const streams = ['o', 'e', 's', 'a'] as const
export type Stream = (typeof streams)[number]

/** Lines that were not kept, counted, standing where they would have been: records `from` to `to` of the log. */
export const Dropped = z.object({
  from: z.number().int(),
  to: z.number().int(),
  lines: z.number().int(),
  bytes: z.number().int(),
  reason: z.string(),
})
export type Dropped = z.infer<typeof Dropped>

export const LogText = z.union([
  z.string(),
  z.object({ b64: z.string() }),
  z.object({ dropped: Dropped }),
  z.looseObject({ type: z.string() }),
])
export type LogText = z.infer<typeof LogText>

/**
 * A log record: `[seq, at, stream, text]`. `at` is milliseconds since 1970 on the device's clock; `text` is a line without its
 * newline, `{b64}` where the bytes are not UTF-8, `{dropped}`, or an event of an agent. A fifth element `1` says that the line goes on: no newline
 * followed here, because the line was cut or the program had not ended it yet.
 */
export const LogRecord = z.union([
  z.tuple([z.number().int(), z.number(), z.enum(streams), LogText]),
  z.tuple([z.number().int(), z.number(), z.enum(streams), LogText, z.literal(1)]),
])
export type LogRecord = z.infer<typeof LogRecord>

/** The same check as that of the schema, for a hundred thousand records in a second. */
export const isLogRecord = (value: unknown): value is LogRecord => {
  if (!Array.isArray(value) || value.length < 4 || value.length > 5 || (value.length === 5 && value[4] !== 1)) return false
  const [seq, at, stream, text] = value as unknown[]
  if (!Number.isSafeInteger(seq) || typeof at !== 'number' || !(streams as readonly unknown[]).includes(stream)) return false
  return typeof text === 'string' || LogText.safeParse(text).success
}

/** Records out of their JSON; undefined if there is anything else among them. */
export const readRecords = (json: string): LogRecord[] | undefined => {
  try {
    const list: unknown = JSON.parse(json)
    return Array.isArray(list) && list.every(isLogRecord) ? list : undefined
  } catch {
    return undefined // no JSON
  }
}

/** A list of records, checked the quick way. */
export const LogRecords = z.custom<LogRecord[]>(
  (value) => Array.isArray(value) && value.every(isLogRecord),
  'must be log records',
)

/** Whether a text stands for lines that were not kept. */
export const isDrop = (text: LogText): text is { dropped: Dropped } =>
  typeof text === 'object' && 'dropped' in text && !('type' in text)

/** Whether a text is bytes that are not UTF-8. */
export const isRaw = (text: LogText): text is { b64: string } => typeof text === 'object' && 'b64' in text && !('type' in text)

/** How many bytes of text a record holds at most; a longer line is cut into several records. */
export const maxRecordBytes = 16 * 1024
/** How many bytes of records travel in one message. */
export const maxChunkBytes = 96 * 1024

/** The first sequence number that a record stands for: its own, unless it stands for dropped ones. */
export const firstSeqOf = (record: LogRecord): number => {
  const text = record[3]
  return isDrop(text) ? text.dropped.from : record[0]
}

/** Whether a record stands for what the controller should have and has not. */
export const isMissing = ([, , , text]: LogRecord): boolean => isDrop(text) && text.dropped.reason === 'missing'

/** The bytes that a record adds to the program's output, newline included. */
export const bytesOf = (record: LogRecord): Uint8Array => {
  const [, , , text, goesOn] = record
  if (typeof text === 'object' && !isRaw(text)) return new Uint8Array()
  const body = typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.b64, 'base64')
  return goesOn ? body : Buffer.concat([body, Buffer.from('\n')])
}
