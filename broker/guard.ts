import type { Duplex } from 'node:stream'

/** The largest packet taken from somebody who has not logged in yet: a CONNECT with a token and a will is far below it. */
const mostBeforeLogin = 64 * 1024
/** The largest packet taken from anybody. The profile's messages are at most 128 KiB; other clients' may be larger. */
export const mostAfterLogin = 1024 * 1024

/** What stands between a connection and the broker's parser. */
export interface Guard {
  /** From now on the limits for those who have logged in hold. */
  loggedIn(): void
}

/**
 * Watches what a connection sends, and closes it before the broker collects what is too much: Aedes itself has no limit on the size of a
 * packet, before login either. Bytes are looked at as the broker reads them; nothing is copied.
 */
export const guardConnection = (conn: Duplex): Guard => {
  let most = mostBeforeLogin
  const lengthFault = watchLengths(() => most)
  const read = conn.read.bind(conn)
  conn.read = (size?: number): unknown => {
    const chunk: unknown = read(size)
    if (!(chunk instanceof Uint8Array)) return chunk
    const fault = lengthFault(chunk)
    if (fault === undefined) return chunk
    conn.destroy(new Error(fault))
    return null
  }
  return {
    loggedIn: () => {
      most = mostAfterLogin
    },
  }
}

/** Follows the packets in a stream of bytes by their fixed headers [MQTT-2.2.3]; tells of the first that is too long. */
const watchLengths = (most: () => number): ((chunk: Uint8Array) => string | undefined) => {
  let headerBytes = 0
  let length = 0
  let toSkip = 0
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (toSkip > 0) {
        const passed = Math.min(toSkip, chunk.length - at)
        toSkip -= passed
        at += passed
        continue
      }
      const byte = chunk[at] ?? 0
      at += 1
      if (headerBytes === 0) {
        headerBytes = 1
        length = 0
        continue
      }
      length += (byte & 127) * 128 ** (headerBytes - 1)
      if (byte & 128) {
        headerBytes += 1
        if (headerBytes > 4) return 'the length of a packet has more than four bytes'
        continue
      }
      if (length > most()) return `a packet of ${length} bytes is more than the ${most()} that are taken`
      toSkip = length
      headerBytes = 0
    }
    return undefined
  }
}
