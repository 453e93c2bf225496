/** Knows when a workload last wrote anything, or a text that it is waited for. */
export interface Pulse {
  /** Is given what the workload writes, piece by piece. */
  take(piece: Uint8Array): void
  /** On the monotonic clock; null before it has. */
  lastMono(): number | null
}

export const createPulse = (contains: string | undefined, mono: () => number): Pulse => {
  let last: number | null = null
  const wanted = contains === undefined ? undefined : Buffer.from(contains)
  // A piece may end in the middle of the text.
  let rest = Buffer.alloc(0)
  return {
    take: (piece) => {
      if (wanted === undefined) {
        last = mono()
        return
      }
      const bytes = Buffer.concat([rest, piece])
      const found = bytes.lastIndexOf(wanted)
      if (found >= 0) last = mono()
      const after = bytes.subarray(found < 0 ? 0 : found + wanted.length)
      rest = Buffer.from(after.subarray(Math.max(0, after.length - wanted.length + 1)))
    },
    lastMono: () => last,
  }
}
