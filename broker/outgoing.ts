import type { Duplex } from 'node:stream'

/** What goes out on one connection: gathered for the length of a step, then written at once. */
export interface Outgoing {
  write(bytes: Buffer): void
  /** Writes now what has been gathered. */
  flush(): void
  /** Writes these last bytes, then ends the stream. */
  end(bytes: Buffer): void
  unsentBytes(): number
  isFull(): boolean
  /** Whether for so long nothing of what waits has been taken in. */
  isStalled(now: number, ms: number): boolean
}

export const createOutgoing = (
  conn: Duplex,
  deps: { unsentBytes: number; mono: () => number; onRoom: () => void; onBytes: (count: number) => void },
): Outgoing => {
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  let wasFull = false
  let lastUnsent = 0
  let lastTakenAt = 0

  const unsentBytes = (): number => conn.writableLength + gatheredBytes
  const isFull = (): boolean => {
    const full = unsentBytes() > deps.unsentBytes
    wasFull ||= full
    return full
  }

  const flush = (): void => {
    if (gatheredBytes === 0) return
    const parts = gathered
    deps.onBytes(gatheredBytes)
    const bytes = gatheredBytes
    gathered = []
    gatheredBytes = 0
    if (conn.destroyed || conn.writableEnded) return
    const [only] = parts
    if (parts.length === 1 && only) conn.write(only)
    else if (bytes <= mostCopied) conn.write(Buffer.concat(parts, bytes))
    else {
      conn.cork()
      for (const part of parts) conn.write(part)
      conn.uncork()
    }
  }

  conn.on('drain', () => {
    lastTakenAt = deps.mono()
    if (!wasFull) return
    wasFull = false
    deps.onRoom()
  })

  return {
    write: (bytes) => {
      // For the length of a turn of the loop: what one commit brings about (PUBACKs, replies, events) leaves in one system call.
      if (gatheredBytes === 0) setImmediate(flush)
      gathered.push(bytes)
      gatheredBytes += bytes.length
    },
    flush,
    end: (bytes) => {
      flush()
      deps.onBytes(bytes.length)
      conn.end(bytes)
    },
    unsentBytes,
    isFull,
    isStalled: (now, ms) => {
      const unsent = unsentBytes()
      // Bytes that get fewer are taken in. More of them may have come since the last look, so the rest is told by `drain`.
      if (unsent === 0 || unsent < lastUnsent || lastTakenAt === 0) lastTakenAt = now
      lastUnsent = unsent
      return unsent > 0 && now - lastTakenAt > ms
    },
  }
}

/** Up to here many small packets are copied into one write, which is cheaper than a vector of them. */
const mostCopied = 64 * 1024
