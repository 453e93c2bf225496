import { faultOfFirstByte, readBody } from './packet-bodies.ts'
import type { Fault, Packet } from './packets.ts'

/** Cuts a stream of bytes into packets, however it arrives. */
export interface PacketReader {
  push(chunk: Buffer): void
  /** The next whole packet with its bytes, or what is wrong with it as soon as that can be seen; undefined until more bytes come. */
  next(): { packet: Packet | Fault; bytes: Buffer } | undefined
  /** Bytes that have not been read. */
  waiting(): number
}

/** `most()` is the largest remaining length that is taken now: a packet beyond it is refused by its announcement alone. */
export const createPacketReader = (most: () => number): PacketReader => {
  // Bytes not read yet are `bytes` from `at` to `end`. A chunk is read where it lies; only what a packet leaves over is copied.
  let bytes: Buffer = nothing
  let at = 0
  let end = 0
  let isOwn = false

  const push = (chunk: Buffer): void => {
    const left = end - at
    if (left === 0) {
      bytes = chunk
      at = 0
      end = chunk.length
      isOwn = false
      return
    }
    if (!isOwn || end + chunk.length > bytes.length) {
      // Twice what is there, so that a packet that comes byte by byte is not copied for each of them.
      const roomier = Buffer.allocUnsafe(Math.max(64, 2 * left, left + chunk.length))
      bytes.copy(roomier, 0, at, end)
      bytes = roomier
      at = 0
      end = left
      isOwn = true
    }
    chunk.copy(bytes, end)
    end += chunk.length
  }

  const faulty = (reason: string) => ({ packet: { kind: 'fault', reason } as const, bytes: nothing })

  const next = (): { packet: Packet | Fault; bytes: Buffer } | undefined => {
    if (at === end) return undefined
    const first = bytes[at] ?? 0
    const wrong = faultOfFirstByte(first)
    if (wrong !== undefined) return faulty(wrong)
    let length = 0
    for (let digit = 1; ; digit++) {
      if (digit > 4) return faulty('the length of a packet has more than four bytes') // [MQTT-2.2.3]
      if (at + digit >= end) return undefined
      const byte = bytes[at + digit] ?? 0
      length += (byte & 127) * 128 ** (digit - 1)
      if (byte & 128) continue
      if (length > most()) return faulty(`a packet of ${length} bytes is more than the ${most()} that are taken`)
      const from = at + digit + 1
      if (from + length > end) return undefined
      const start = at
      at = from + length
      // What was copied together is filled again later: a packet must not be a view of it.
      const whole = isOwn ? Buffer.from(bytes.subarray(start, at)) : bytes.subarray(start, at)
      const body = whole.subarray(from - start)
      if (at === end) {
        bytes = nothing
        at = 0
        end = 0
      }
      return { packet: readBody(first >> 4, first & 15, body), bytes: whole }
    }
  }

  return { push, next, waiting: () => end - at }
}

const nothing = Buffer.alloc(0)
