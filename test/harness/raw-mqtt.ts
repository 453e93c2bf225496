import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import mqttPacket, { type Packet } from 'mqtt-packet'
import { eventually } from './eventually.ts'

/** An MQTT client that does exactly what it is told: packets out, packets in, nothing by itself. */
export interface RawMqtt {
  socket: Socket
  received: Packet[]
  /** Sends packets in one write. */
  send(...packets: Packet[]): void
  sendBytes(bytes: Uint8Array): void
  isClosed(): boolean
  /** Waits for the first packet of this kind, at or after the n-th received. */
  next(cmd: Packet['cmd'], from?: number): Promise<Packet>
  closed(): Promise<void>
  close(): void
}

export interface RawConnect {
  clientId?: string
  clean?: boolean
  keepalive?: number
  will?: { topic: string; retain: boolean; qos?: 0 | 1 | 2; payload?: string }
  token?: string
}

/** Opens a plain TCP connection; sends a CONNECT if one is given. */
export const openRawMqtt = async (url: string, how?: RawConnect, host = '127.0.0.1'): Promise<RawMqtt> => {
  const socket = connect(Number(new URL(url).port), host)
  await once(socket, 'connect')
  socket.setNoDelay(true)
  socket.on('error', () => undefined) // a reset is one of the ways in which a broker closes; isClosed() tells
  const received: Packet[] = []
  const parser = mqttPacket.parser({ protocolVersion: 4 })
  parser.on('packet', (one: Packet) => received.push(one))
  socket.on('data', (chunk) => parser.parse(chunk))

  const raw: RawMqtt = {
    socket,
    received,
    send: (...packets) => {
      socket.write(Buffer.concat(packets.map((one) => mqttPacket.generate(one))))
    },
    sendBytes: (bytes) => {
      socket.write(bytes)
    },
    isClosed: () => socket.destroyed,
    next: (cmd, from = 0) => eventually(`${cmd} arrives`, () => received.slice(from).find((one) => one.cmd === cmd)),
    closed: async () => {
      await eventually('the broker closes the connection', () => socket.destroyed)
    },
    close: () => {
      socket.destroy()
    },
  }
  if (how) raw.sendBytes(connectBytes(how))
  return raw
}

/** A CONNECT of MQTT 3.1.1, made by hand [MQTT-3.1]: the library refuses to write what a broker must be shown. */
export const connectBytes = ({ clientId = '', clean = true, keepalive = 60, will, token }: RawConnect): Buffer => {
  const flags =
    (clean ? 0x02 : 0) | (will ? 0x04 | ((will.qos ?? 1) << 3) : 0) | (will?.retain ? 0x20 : 0) | (token === undefined ? 0 : 0xc0) // user name and password
  const body = Buffer.concat([
    field('MQTT'),
    Buffer.from([4, flags, keepalive >> 8, keepalive & 255]),
    field(clientId),
    ...(will ? [field(will.topic), field(will.payload ?? 'will')] : []),
    ...(token === undefined ? [] : [field('whoever'), field(token)]),
  ])
  return Buffer.concat([Buffer.from([0x10, (body.length & 127) | 128, body.length >> 7]), body])
}

/** A string or bytes behind their length. */
export const field = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}
