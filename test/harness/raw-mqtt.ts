import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import mqttPacket, { type IConnectPacket, type Packet } from 'mqtt-packet'
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

/** Opens a plain TCP connection; sends a CONNECT if one is given. */
export const openRawMqtt = async (url: string, packet?: Partial<IConnectPacket>): Promise<RawMqtt> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
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
    next: async (cmd, from = 0) => {
      const found = await eventually(() => received.slice(from).find((one) => one.cmd === cmd), { about: `${cmd} arrives` })
      if (!found) throw new Error('eventually() gave nothing')
      return found
    },
    closed: async () => {
      await eventually(() => socket.destroyed, { about: 'the broker closes the connection' })
    },
    close: () => {
      socket.destroy()
    },
  }
  if (packet) raw.send(connectPacket(packet))
  return raw
}

const connectPacket = (packet: Partial<IConnectPacket>): IConnectPacket => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clean: true,
  clientId: '',
  keepalive: 60,
  ...packet,
})
