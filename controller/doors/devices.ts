import { z } from 'zod'
import type { Bus, Message } from '../../base/bus.ts'
import type { Log } from '../../base/log.ts'
import { Fetch } from '../../schemas/desired.ts'
import { DeviceState, Heartbeat, Hello, RunReport } from '../../schemas/exchange.ts'
import { type LogMessage, readLogMessage } from '../../schemas/log-message.ts'
import { filterOf, readTopic } from '../../schemas/topics.ts'
import { Reported } from '../../schemas/workload-status.ts'
import type { Exchange } from '../exchange.ts'

export interface DeviceDoorDeps {
  fleet: string
  bus: Bus
  exchange: Exchange
  reported: (device: string, reported: Reported) => Promise<void> | void
  /** A device wants a part of a bundle. */
  fetch: (device: string, fetch: Fetch) => void
  /** So many bytes of output have come. */
  output: (bytes: number) => void
  log: Log
}

/** The door of devices: what they publish is read through its schema and handed on; what does not fit is logged and dropped. */
export const openDeviceDoor = async ({ fleet, bus, exchange, reported, fetch, output, log }: DeviceDoorDeps): Promise<void> => {
  const from =
    <T>(read: Read<T>, take: (device: string, value: T, bytes: number) => Promise<void> | void) =>
    (message: Message) => {
      const device = readTopic(fleet, message.topic)?.params['device']
      if (device === undefined || message.payload.length === 0) return // empty: what was retained is deleted
      const value = read(message.payload)
      if (!value.ok) {
        log.warn({ topic: message.topic, problem: value.problem }, 'message from a device does not fit')
        return
      }
      Promise.resolve(take(device, value.value, message.payload.length)).catch((error: unknown) =>
        log.error(
          { err: error, topic: message.topic },
          'message from a device could not be stored; the device will send it again',
        ),
      )
    }

  await bus.subscribe(filterOf(fleet, 'deviceState'), from(by(DeviceState), exchange.state))
  await bus.subscribe(filterOf(fleet, 'deviceHello'), from(by(Hello), exchange.hello))
  await bus.subscribe(filterOf(fleet, 'deviceHeartbeat'), from(by(Heartbeat), exchange.heartbeat))
  await bus.subscribe(filterOf(fleet, 'deviceRun'), from(by(RunReport), exchange.report))
  await bus.subscribe(filterOf(fleet, 'deviceReported'), from(by(Reported), reported))
  await bus.subscribe(filterOf(fleet, 'deviceFetch'), from(by(Fetch), fetch))
  await bus.subscribe(
    filterOf(fleet, 'deviceLog'),
    from(byLogMessage, (device, chunk, bytes) => {
      output(chunk.head.bytes)
      return exchange.chunk(device, chunk, bytes)
    }),
  )
  await bus.subscribe(filterOf(fleet, 'deviceAgent'), from(byLogMessage, exchange.chunk))
}

type Read<T> = (payload: Uint8Array) => { ok: true; value: T } | { ok: false; problem: string }

const by =
  <T>(schema: z.ZodType<T>): Read<T> =>
  (payload) => {
    const read = schema.safeParse(readJson(payload))
    return read.success ? { ok: true, value: read.data } : { ok: false, problem: z.prettifyError(read.error) }
  }

const byLogMessage: Read<LogMessage> = (payload) => {
  const value = readLogMessage(payload)
  return value ? { ok: true, value } : { ok: false, problem: 'it is no part of a log' }
}

/** Undefined for what is no JSON: the schema then refuses it, with the topic in the log. */
export const readJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined // as promised above
  }
}
