import type { Dropped, LogRecord, LogText, Stream } from '../../../schemas/log.ts'

/** How many lines are kept, and how many characters of them together; what is older is let go. */
export const maxLines = 1_000_000
const maxChars = 256 * 1024 * 1024
/** A line that goes on is joined up to here; what comes then stands in a line of its own. */
const maxLineChars = 16 * 1024
const chunkLines = 4096

/** A line as it is shown. `index` counts from 0 at the first line of the log, and stays the same when older ones are let go. */
export interface LogLine {
  index: number
  at: number
  stream: Stream
  text: string
  /** It is what was left of the line before it, which was too long. */
  isRest: boolean
  /** Lines that are missing, in the place of a text. */
  gap: Dropped | undefined
}

/** Lines that are complete: one text, and where each line ends in it. */
interface Chunk {
  text: string
  ends: Uint32Array
  at: Float64Array
  kinds: Uint8Array
  gaps: ReadonlyMap<number, Dropped>
}

const streamOf: readonly Stream[] = ['o', 'e', 's', 'a']
const kindOf: Readonly<Record<Stream, number>> = { o: 0, e: 1, s: 2, a: 3 }
const rest = 4
const gap = 8

interface LogStoreOptions {
  /** The index of the first line that will come: what is before it is let go already. */
  from?: number
  lines?: number
  chars?: number
}

/**
 * The lines of a log, up to a million of them. Lines are kept in chunks, each with one text and typed arrays, because an object for each
 * of a million lines would cost more than the lines. Only the last chunk is open: lines that go on are joined there.
 */
export const createLogStore = ({ from = 0, lines = maxLines, chars: mostChars = maxChars }: LogStoreOptions = {}) => {
  let chunks: Chunk[] = []
  let open = openChunk()
  /** The index of the first line that is kept, and of the first one of the open chunk. */
  let first = from
  let base = from
  /** How often it began anew. */
  let turns = 0
  let chars = 0
  /** Lines, not numbers of records, that were never kept anywhere. */
  let missing = 0
  /** Of each stream the line that goes on, or -1. */
  let goingOn: Record<Stream, number> = { o: -1, e: -1, s: -1, a: -1 }

  const end = (): number => base + open.texts.length

  const seal = (): void => {
    const { texts, at, kinds, gaps } = open
    const ends = new Uint32Array(texts.length)
    let size = 0
    for (let i = 0; i < texts.length; i++) {
      size += texts[i]?.length ?? 0
      ends[i] = size
    }
    chunks.push({ text: texts.join(''), ends, at, kinds, gaps })
    base += texts.length
    open = openChunk()
    // The joined text is one string, the lines that it was made of can go.
    while (chunks.length > 1 && (base - first > lines || chars > mostChars)) {
      const gone = chunks.shift()
      if (!gone) return
      first += chunkLines
      chars -= gone.text.length
    }
  }

  const put = (text: string, at: number, kind: number, dropped?: Dropped): number => {
    const i = open.texts.length
    open.texts.push(text)
    open.at[i] = at
    open.kinds[i] = kind
    if (dropped) {
      open.gaps.set(i, dropped)
      missing += dropped.lines
    }
    chars += text.length
    const index = base + i
    if (i + 1 === chunkLines) seal()
    return index
  }

  /** Adds to a line that goes on; false if it is sealed or long enough. */
  const join = (index: number, text: string): boolean => {
    const i = index - base
    const before = open.texts[i]
    if (before === undefined) return false
    let whole = before + text
    if (whole.length > maxLineChars) {
      // Of a line that is written over and over again, as a progress bar is, the newest is what counts.
      const again = before.lastIndexOf('\r')
      if (again < 0) return false
      whole = before.slice(again + 1) + text
    }
    open.texts[i] = whole
    chars += whole.length - before.length
    return true
  }

  return {
    /** Takes records in the order of the log. */
    append: (records: readonly LogRecord[]): void => {
      for (const record of records) {
        const [, at, stream, content] = record
        if (isGap(content)) {
          goingOn[stream] = -1
          put('', at, kindOf[stream] | gap, content.dropped)
          continue
        }
        const text = typeof content === 'string' ? content : textOf(content)
        const before = goingOn[stream]
        const isJoined = before >= base && join(before, text)
        const index = isJoined ? before : put(text, at, before < 0 ? kindOf[stream] : kindOf[stream] | rest)
        goingOn[stream] = record.length === 5 ? index : -1
      }
    },

    /** The line of an index that is kept. */
    line: (index: number): LogLine | undefined => {
      if (index < first || index >= end()) return undefined
      const at = (from: Pick<Chunk, 'at' | 'kinds' | 'gaps'>, i: number, text: string): LogLine => {
        const kind = from.kinds[i] ?? 0
        return {
          index,
          at: from.at[i] ?? 0,
          stream: streamOf[kind & 3] ?? 'o',
          text,
          isRest: (kind & rest) !== 0,
          gap: from.gaps.get(i),
        }
      }
      if (index >= base) return at(open, index - base, open.texts[index - base] ?? '')
      const chunk = chunks[Math.floor((index - first) / chunkLines)]
      const i = (index - first) % chunkLines
      return chunk && at(chunk, i, chunk.text.slice(i === 0 ? 0 : chunk.ends[i - 1], chunk.ends[i]))
    },

    /** Whether the line may still become longer. */
    goesOn: (index: number): boolean => {
      const { o, e, s, a } = goingOn
      return index === o || index === e || index === s || index === a
    },

    /** Says, before any line has come, which index the first one has. */
    begin: (index: number): void => {
      first = base = index
    },

    /** Forgets all: the log begins anew. */
    clear: (): void => {
      chunks = []
      open = openChunk()
      first = base = chars = missing = 0
      turns++
      goingOn = { o: -1, e: -1, s: -1, a: -1 }
    },

    /** The index of the first line that is kept: so many have been let go. */
    first: () => first,
    /** One past the last line. */
    end,
    /** How often it began anew: what was known of lines before that is void. */
    turns: () => turns,
    missing: () => missing,
    /** How many characters are kept. */
    chars: () => chars,
  }
}
export type LogStore = ReturnType<typeof createLogStore>

const openChunk = () => ({
  texts: [] as string[],
  at: new Float64Array(chunkLines),
  kinds: new Uint8Array(chunkLines),
  gaps: new Map<number, Dropped>(),
})

/** Whether a text stands for lines that were not kept. */
export const isGap = (content: LogText): content is { dropped: Dropped } =>
  typeof content === 'object' && 'dropped' in content && !('type' in content)

/** Bytes that are not UTF-8, with a sign for what cannot be read; or what an agent did, as it is written down. */
const textOf = (content: Exclude<LogText, string>): string => {
  if (!('b64' in content) || typeof content.b64 !== 'string') return JSON.stringify(content)
  const bytes = Uint8Array.from(atob(content.b64), (char) => char.charCodeAt(0))
  return new TextDecoder().decode(bytes)
}
