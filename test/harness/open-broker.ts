import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Packet } from 'mqtt-packet'
import { eventually } from './eventually.ts'
import { heldBy } from './held-memory.ts'
import { openRawMqtt, type RawConnect, type RawMqtt } from './raw-mqtt.ts'

/** `skein broker --open` as a process of its own, as it is shipped. */
export interface OpenBroker {
  url: string
  pid: number
  /** What it has logged. */
  log(): string
  /** What it holds when its garbage has been collected, in MB. */
  heldMb(): Promise<number>
  /** A connection that has not said anything. */
  silent(): Promise<RawMqtt>
  /** A connection that has sent this CONNECT. */
  connecting(how: RawConnect): Promise<RawMqtt>
  /** A client that was let in. */
  client(how?: RawConnect): Promise<OpenClient>
  /** Closes the clients of a test. */
  closeClients(): void
  close(): Promise<void>
}

export interface OpenClient extends RawMqtt {
  sessionPresent: boolean
  /** Sends a packet, and waits until everything up to it has been answered. */
  say(...packets: Packet[]): Promise<void>
  subscribe(filter: string, qos?: 0 | 1 | 2): Promise<number[]>
  publish(topic: string, payload: string, how?: { qos?: 0 | 1 | 2; retain?: boolean; id?: number; dup?: boolean }): Promise<void>
  /** The messages that have come, as [topic, payload]. */
  messages(): [string, string][]
}

export const startOpenBroker = async (...flags: string[]): Promise<OpenBroker> => {
  const data = mkdtempSync(join(tmpdir(), 'skein-open-'))
  const args = ['--inspect-port=0', 'dist/broker.js', '--open', '--data', data, '--mqtt-port', '0', '--ws-port', '0', ...flags]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const { pid } = child
  if (pid === undefined) throw new Error('The broker did not start')
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const url = await eventually('the broker is ready', () => /"mqtt":"(mqtt:[^"]+)"/.exec(said)?.[1])
  let clients: RawMqtt[] = []
  let names = 0
  const kept = <C extends RawMqtt>(client: C): C => {
    clients.push(client)
    return client
  }
  return {
    url,
    pid,
    log: () => said,
    heldMb: () => heldBy(pid, () => said),
    silent: async () => kept(await openRawMqtt(url)),
    connecting: async (how) => kept(await openRawMqtt(url, how)),
    client: async (how = {}) => {
      names += 1
      return letIn(kept(await openRawMqtt(url, { clientId: `c${names}-${process.pid}`, ...how })))
    },
    closeClients: () => {
      for (const one of clients) one.close()
      clients = []
    },
    close: async () => {
      for (const one of clients) one.close()
      const gone = child.exitCode !== null || once(child, 'exit')
      child.kill('SIGTERM')
      await gone
      rmSync(data, { recursive: true, force: true })
    },
  }
}

/** Waits until a client is let in. */
export const letIn = async (raw: RawMqtt): Promise<OpenClient> => {
  const connack = await raw.next('connack')
  if (connack.cmd !== 'connack' || connack.returnCode !== 0) throw new Error(`The broker says ${JSON.stringify(connack)}`)
  let lastId = 0
  const say = async (...packets: Packet[]): Promise<void> => {
    const pongs = raw.received.filter((one) => one.cmd === 'pingresp').length
    raw.send(...packets, { cmd: 'pingreq' })
    await eventually('the answer to a ping', () => raw.received.filter((one) => one.cmd === 'pingresp').length > pongs)
  }
  return Object.assign(raw, {
    sessionPresent: connack.sessionPresent,
    say,
    subscribe: async (filter: string, qos: 0 | 1 | 2 = 2) => {
      const from = raw.received.length
      lastId += 1
      raw.send({ cmd: 'subscribe', messageId: lastId, subscriptions: [{ topic: filter, qos }] })
      const suback = await raw.next('suback', from)
      return suback.cmd === 'suback' ? suback.granted.map(Number) : []
    },
    publish: async (
      topic: string,
      payload: string,
      how: { qos?: 0 | 1 | 2; retain?: boolean; id?: number; dup?: boolean } = {},
    ) => {
      lastId += 1
      const { qos = 0, retain = false, id = lastId, dup = false } = how
      await say({ cmd: 'publish', topic, payload, qos, retain, dup, ...(qos > 0 ? { messageId: id } : {}) })
    },
    messages: () =>
      raw.received.flatMap((one): [string, string][] => (one.cmd === 'publish' ? [[one.topic, one.payload.toString()]] : [])),
  })
}
