import type { Fetch } from '../../schemas/desired.ts'

export type Range = Pick<Fetch, 'offset' | 'length'>

export interface WindowOptions {
  size: number
  /** Up to here it is there already. */
  from: number
  /** So much may be on its way, or wait for what is before it. */
  windowBytes: number
  /** So much is asked for at a time. */
  askBytes: number
}

/** More pieces than this that came too early are dropped, and asked for again: small ones would be many. */
const mostEarly = 1024

/** Which parts of a blob are to be asked for, and in which order what comes is written: it may come twice, late, in any order, or never. */
export const createBlobWindow = ({ size, from, windowBytes, askBytes }: WindowOptions) => {
  /** All before is there. */
  let at = from
  let askedTo = from
  const early = new Map<number, Uint8Array>()
  let earlyBytes = 0

  /** Takes out what follows now, which may begin before that. */
  const following = (): Uint8Array | undefined => {
    const exact = early.get(at)
    if (exact) return taken(at, exact)
    for (const [offset, bytes] of early) {
      if (offset > at) continue
      const rest = taken(offset, bytes).subarray(at - offset)
      if (rest.length > 0) return rest
    }
    return undefined
  }
  const taken = (offset: number, bytes: Uint8Array): Uint8Array => {
    early.delete(offset)
    earlyBytes -= bytes.length
    return bytes
  }

  return {
    at: (): number => at,
    isDone: (): boolean => at === size,
    /** What is to be asked for now that it has not been. */
    next: (): Range[] => {
      const ranges: Range[] = []
      while (askedTo < size && askedTo - at + askBytes <= windowBytes) {
        const length = Math.min(askBytes, size - askedTo)
        ranges.push({ offset: askedTo, length })
        askedTo += length
      }
      return ranges
    },
    /** What was asked for and has not come. */
    missing: (): Range[] => {
      const ranges: Range[] = []
      let end = at
      const gapUpTo = (start: number): void => {
        for (let offset = end; offset < start; offset += askBytes)
          ranges.push({ offset, length: Math.min(askBytes, start - offset) })
      }
      for (const [start, bytes] of [...early].sort(([a], [b]) => a - b)) {
        gapUpTo(start)
        end = Math.max(end, start + bytes.length)
      }
      gapUpTo(askedTo)
      return ranges
    },
    /** Takes a piece; gives what can be written now, one after the other. Undefined if it brings nothing. */
    take: (offset: number, bytes: Uint8Array): Uint8Array[] | undefined => {
      const end = offset + bytes.length
      if (end <= at || end > askedTo) return undefined
      if (offset > at) {
        if (early.has(offset) || early.size >= mostEarly || earlyBytes + bytes.length > windowBytes) return undefined
        early.set(offset, bytes)
        earlyBytes += bytes.length
        return []
      }
      const parts: Uint8Array[] = []
      for (let part: Uint8Array | undefined = bytes.subarray(at - offset); part; part = following()) {
        parts.push(part)
        at += part.length
      }
      return parts
    },
  }
}
export type BlobWindow = ReturnType<typeof createBlobWindow>
