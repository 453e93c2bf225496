/** What a shell has written: the last of it, by offsets that count from its start. */
export const createShellOutput = (keepBytes: number) => {
  let parts: Buffer[] = []
  let bytes = 0
  let total = 0

  return {
    add: (part: Buffer): void => {
      parts.push(Buffer.from(part))
      bytes += part.length
      total += part.length
      // Twice as much may lie here, so that not every byte moves all others.
      if (bytes < keepBytes * 2) return
      const kept = Buffer.concat(parts).subarray(-keepBytes)
      parts = [Buffer.from(kept)]
      bytes = kept.length
    },
    total: (): number => total,
    /** What follows an offset; `next` is behind it. Where it is not kept any more, `next` is farther away than what is given. */
    after: (offset: number, most: number): { bytes: Buffer; next: number } => {
      if (offset >= total) return { bytes: Buffer.alloc(0), next: total }
      const whole = parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts)
      parts = [whole]
      const start = Math.max(offset, total - Math.min(keepBytes, whole.length))
      const from = whole.length - (total - start)
      const given = whole.subarray(from, from + most)
      return { bytes: given, next: start + given.length }
    },
  }
}
export type ShellOutput = ReturnType<typeof createShellOutput>
