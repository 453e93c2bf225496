import type { Clock, Timer } from '../base/clock.ts'
import { sourceOf } from '../schemas/sources.ts'
import type { Effects } from './effects.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { Store } from './store/store.ts'

export interface AcknowledgementsDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  clock: Clock
}

/** Acknowledgements are lazy: what came within this time, or this many bytes, is acknowledged together. */
const afterMs = 200
const afterBytes = 1024 * 1024

interface Owed {
  streams: Set<string>
  again: Set<string>
  heard: number | null
}

/** Where a stream of a device stands in the store: everything up to there is committed. */
export const cursorOf = (store: Store, device: FleetDevice, stream: string): number => {
  const source = sourceOf(stream)
  if (source !== undefined) return store.logs.extent(source).last_seq
  return stream === 'runs' ? device.row.cursor : 0
}

/** Tells devices how far their streams are committed. It only repeats what is stored, so it may be lost. */
export const createAcknowledgements = ({ store, fleet, effects, clock }: AcknowledgementsDeps) => {
  const owed = new Map<string, Owed>()
  let bytesOwed = 0
  let timer: Timer | undefined

  const send = (): void => {
    timer?.cancel()
    timer = undefined
    bytesOwed = 0
    for (const [name, { streams, again, heard }] of owed) {
      const device = fleet.devices.get(name)
      if (!device?.row.journal) continue
      const cursors: Record<string, number> = {}
      for (const stream of streams) cursors[stream] = cursorOf(store, device, stream)
      effects.sendCommand(name, 'ack', {
        journal: device.row.journal,
        cursors,
        ...(again.size > 0 ? { again: [...again] } : {}),
        ...(heard !== null ? { heard_mono_ms: heard } : {}),
        ...(device.isReady ? {} : { hello: true }),
      })
    }
    owed.clear()
  }

  const of = (device: string): Owed => {
    const known = owed.get(device) ?? { streams: new Set<string>(), again: new Set<string>(), heard: null }
    owed.set(device, known)
    return known
  }

  return {
    /** Something of a stream is committed; `again` when a part before it is missing. */
    owe: (device: string, stream: string, bytes: number, again: boolean): void => {
      const entry = of(device)
      entry.streams.add(stream)
      if (again) entry.again.add(stream)
      bytesOwed += bytes
      if (again || bytesOwed >= afterBytes) send()
      else timer ??= clock.after(afterMs, send)
    },
    /** It is to say hello again: something that it sent may have been lost. */
    askHello: (device: string): void => {
      of(device)
      timer ??= clock.after(afterMs, send)
    },
    /** A heartbeat wants to know that it was heard. */
    heard: (device: string, monoMs: number): void => {
      of(device).heard = monoMs
      timer ??= clock.after(afterMs, send)
    },
    close: (): void => timer?.cancel(),
  }
}
export type Acknowledgements = ReturnType<typeof createAcknowledgements>
