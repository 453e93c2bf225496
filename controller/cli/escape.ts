const tilde = 0x7e
const dot = 0x2e
const lineEnds: readonly number[] = [0x0d, 0x0a]

/** Finds `~.` at the start of a line, by which one leaves; `~~` there is one `~`, and everything else passes. */
export const createEscape = () => {
  let state: 'start' | 'tilde' | 'within' = 'start'

  return (bytes: Uint8Array): { pass: Buffer; leaves: boolean } => {
    const pass: number[] = []
    for (const byte of bytes) {
      if (state === 'tilde') {
        if (byte === dot) return { pass: Buffer.from(pass), leaves: true }
        pass.push(tilde)
        state = 'within'
        if (byte === tilde) continue
      } else if (state === 'start' && byte === tilde) {
        state = 'tilde'
        continue
      }
      pass.push(byte)
      state = lineEnds.includes(byte) ? 'start' : 'within'
    }
    return { pass: Buffer.from(pass), leaves: false }
  }
}
