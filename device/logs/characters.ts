/** The longest part of at most `limit` bytes that does not end within a character of UTF-8. */
export const wholeCharacters = (bytes: Uint8Array, limit: number): number => {
  const end = Math.min(limit, bytes.length)
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back] ?? 0
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return length > back ? end - back : end
    }
    if (byte < 0x80) break
  }
  return end
}
