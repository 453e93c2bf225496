import type { Qos } from './packets.ts'

/** A message that is kept: retained, or for a client that is away or has not acknowledged it. */
export interface Message {
  topic: string
  payload: Buffer
  qos: Qos
  retain: boolean
}

/** What a message that waits costs, about. */
export const costOf = ({ topic, payload }: { topic: string; payload: Uint8Array }): number => 300 + topic.length + payload.length

/**
 * A payload fit to be kept. It comes as a view of what was read from a socket, up to 64 KiB of other packets that would be kept along
 * with a few bytes: then it gets bytes of its own.
 */
export const settled = (payload: string | Buffer): Buffer => {
  if (typeof payload === 'string') return Buffer.from(payload)
  if (payload.buffer.byteLength <= 2 * payload.length + 256) return payload
  const own = Buffer.allocUnsafeSlow(payload.length)
  payload.copy(own)
  return own
}
