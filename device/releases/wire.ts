import type { Bus, Message } from '../../base/bus.ts'
import type { Log } from '../../base/log.ts'
import type { Desired, Fetch, ReportedRelease } from '../../schemas/desired.ts'
import { filterOf, readTopic, topicOf } from '../../schemas/topics.ts'
import type { Refusal } from '../refusals.ts'
import type { Trust } from '../trust.ts'
import { admitDesired } from './admit-desired.ts'
import type { BlobLine } from './pulling.ts'

/** What keeps the releases of a device, as the link knows it. */
export interface ReleaseKeeper {
  /** Of the document that is obeyed; undefined before the first. */
  seen(): { revision: number; epoch: number } | undefined
  take(desired: Desired): void
  /** A piece of a bundle has come. */
  blob(sha256: string, offset: number, bytes: Uint8Array): void
  /** What was asked for before may not have been heard. */
  askAgain(): void
  /** Undefined where nobody has ever said anything of releases. */
  reported(): ReportedRelease[] | undefined
}

export interface ReleaseWireDeps {
  fleet: string
  device: string
  bus: Bus
  trust: Pick<Trust, 'keyFor'>
  refused: (refusal: Refusal) => void
  /** A device without this has no releases. */
  releases: ReleaseKeeper | undefined
  log: Log
}

/** The part of the link that releases need: what is to run comes by it, signed, and bundles do. */
export const createReleaseWire = ({ fleet, device, bus, trust, refused, releases, log }: ReleaseWireDeps) => {
  /** Signed by a key that is not believed yet: the welcome may introduce it. */
  let waiting: Message | undefined

  const refuse = (reason: string): void => {
    log.warn({ reason }, 'what this device is said to run is not obeyed')
    refused({ verb: 'desired', reason })
  }

  const desired = (message: Message, mayWait: boolean): void => {
    // The broker has let go what it kept.
    if (message.payload.length === 0) return
    if (!releases) return refuse('not_supported')
    const admission = admitDesired(readJson(message.payload), { fleet, device, seen: releases.seen(), keyFor: trust.keyFor })
    if (admission.ok) {
      waiting = undefined
      return releases.take(admission.desired)
    }
    if (mayWait && admission.reason.endsWith('unknown_key')) waiting = message
    else refuse(admission.reason)
  }

  const blob = ({ topic, payload }: Message): void => {
    const { sha256 = '', offset = '' } = readTopic(fleet, topic)?.params ?? {}
    if (/^\d{1,15}$/.test(offset)) releases?.blob(sha256, Number(offset), payload)
  }

  const line: BlobLine = {
    isOpen: bus.isConnected,
    ask: (fetch: Fetch) => bus.publish(topicOf(fleet, 'deviceFetch', { device }), JSON.stringify(fetch), { qos: 1 }),
  }

  return {
    line,
    /** A broker that does not know these topics does not keep a device from everything else. */
    subscribe: async (isWelcomed: () => boolean): Promise<void> => {
      const ask = (name: 'deviceDesired' | 'deviceBlob', receive: (message: Message) => void): Promise<void> =>
        bus
          .subscribe(filterOf(fleet, name, { device }), receive)
          .catch((error: unknown) => log.warn({ err: error }, 'no release can come by this broker'))
      await Promise.all([ask('deviceDesired', (message) => desired(message, !isWelcomed())), ask('deviceBlob', blob)])
    },
    connected: (): void => releases?.askAgain(),
    welcomed: (): void => {
      const message = waiting
      waiting = undefined
      if (message) desired(message, false)
      releases?.askAgain()
    },
  }
}

const readJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined // refused as unsigned
  }
}
