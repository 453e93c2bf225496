import type { Bus } from '../../base/bus.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { blobPieceBytes, type Fetch } from '../../schemas/desired.ts'
import { topicOf } from '../../schemas/topics.ts'
import type { Blobs } from './blobs.ts'

export interface ServingDeps {
  fleetName: string
  bus: Bus
  blobs: Blobs
  mayHave: (device: string, sha256: string) => boolean
  clock: Clock
  log: Log
}

/** So much of what a device asks for at once is brought; it asks again for the rest. */
const mostAtOnce = 1024 * 1024
/** So much may wait to be written to the broker before nothing more is read. */
const mostBacklog = 8 * 1024 * 1024
/** What one device has waiting beyond this is dropped: it asks again. */
const mostWaiting = 64
/** So many pieces are read and sent side by side. */
const readers = 4

/** Brings devices the parts of bundles that they ask for: one piece for each in turn, and no more than the connection takes. */
export const startServing = ({ fleetName, bus, blobs, mayHave, clock, log }: ServingDeps) => {
  const waiting = new Map<string, Fetch[]>()
  let busy = 0
  let isClosed = false

  /** The next piece of the device that has waited longest. */
  const next = (): { device: string; piece: Fetch } | undefined => {
    for (const [device, asked] of waiting) {
      const [first] = asked
      waiting.delete(device)
      if (!first) continue
      const length = Math.min(first.length, blobPieceBytes)
      const rest = { ...first, offset: first.offset + length, length: first.length - length }
      const left = rest.length > 0 ? [rest, ...asked.slice(1)] : asked.slice(1)
      if (left.length > 0) waiting.set(device, left)
      return { device, piece: { ...first, length } }
    }
    return undefined
  }

  const work = async (): Promise<void> => {
    for (let turn = next(); turn && !isClosed; turn = next()) {
      const { device, piece } = turn
      const { sha256, offset, length } = piece
      try {
        const bytes = await blobs.read(sha256, offset, length)
        while (bus.backlogBytes() > mostBacklog && !isClosed) await sleep(clock, 5)
        if (bytes.length > 0)
          bus.publish(topicOf(fleetName, 'deviceBlob', { device, sha256, offset: String(offset) }), bytes, { qos: 1 })
      } catch (error) {
        log.warn({ err: error, device, sha256 }, 'cannot read a bundle that a device wants')
        waiting.delete(device)
      }
    }
  }

  return {
    asked: (device: string, fetch: Fetch): void => {
      if (!mayHave(device, fetch.sha256) || !blobs.state(fetch.sha256).complete) return
      const list = waiting.get(device) ?? []
      // It asks again for what it waits for: what is still on its way comes once.
      if (list.length >= mostWaiting || list.some((one) => one.sha256 === fetch.sha256 && covers(one, fetch))) return
      list.push({ ...fetch, length: Math.min(fetch.length, mostAtOnce) })
      waiting.set(device, list)
      if (busy >= readers) return
      busy++
      void work().finally(() => {
        busy--
      })
    },
    close: (): void => {
      isClosed = true
      waiting.clear()
    },
  }
}

const covers = (one: Fetch, other: Fetch): boolean =>
  one.offset <= other.offset && other.offset + other.length <= one.offset + one.length
