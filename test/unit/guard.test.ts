import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { guardConnection } from '../../broker/guard.ts'

/** Pushes bytes through a guarded stream as a broker reads them; gives what came out and why it ended. */
const through = (chunks: readonly Uint8Array[], isLoggedIn = false): { bytes: number; error: string | undefined } => {
  const conn = new PassThrough({ highWaterMark: 16 * 1024 * 1024 })
  let error: string | undefined
  conn.on('error', () => undefined) // looked at below: it is emitted later
  const guard = guardConnection(conn)
  if (isLoggedIn) guard.loggedIn()
  let bytes = 0
  for (const chunk of chunks) {
    conn.write(chunk)
    const read: unknown = conn.read()
    if (read instanceof Uint8Array) bytes += read.length
    error ??= conn.errored?.message
    if (error !== undefined) break
  }
  return { bytes, error }
}

const packet = (length: number): Buffer => {
  const header = [0x30]
  for (let rest = length; ; ) {
    const more = rest > 127
    header.push((rest & 127) | (more ? 128 : 0))
    rest >>= 7
    if (!more) return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)])
  }
}
const oneByOne = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.from([byte]))

describe('guardConnection()', () => {
  test('lets packets of every length pass, however they are cut', () => {
    const bytes = Buffer.concat([0, 1, 127, 128, 300, 16_383, 16_384, 65_536, 0, 5].map(packet))
    expect(through([bytes])).toEqual({ bytes: bytes.length, error: undefined })
    expect(through(oneByOne(bytes))).toEqual({ bytes: bytes.length, error: undefined })
  })
  test('stops a packet that is too long at its header', () => {
    const ping = Buffer.from([0xc0, 0])
    expect(through([Buffer.concat([ping, packet(65_537).subarray(0, 4)])])).toMatchObject({
      bytes: 0,
      error: expect.stringContaining('65537'),
    })
    expect(through(oneByOne(packet(65_537).subarray(0, 4))).error).toContain('65537')
  })
  test('allows more after login', () => {
    expect(through([packet(1024 * 1024)], true).error).toBeUndefined()
    expect(through([packet(1024 * 1024 + 1)], true).error).toBeDefined()
  })
  test('stops a length that has no end', () => {
    expect(through([Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])], true).error).toContain('four bytes')
  })
})
