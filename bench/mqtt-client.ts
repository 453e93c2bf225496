import { connect } from 'node:net'
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet'

export interface MqttClientOptions {
  url: string
  clientId: string
  token: string
  keepalive?: number
  will?: { topic: string; payload: string; retain: boolean }
  onMessage(topic: string, payload: Buffer): void
  onClose?(): void
}

/**
 * A lean MQTT 3.1.1 client for the bench: a socket and mqtt-packet, no queue, nothing by itself but PUBACKs. What is sent in one
 * turn of the loop leaves in one write. The bench drives hundreds of these; what a client library costs is not what it measures.
 */
export interface MqttClient {
  /** With `acknowledged` at QoS 1, else at QoS 0. */
  publish(topic: string, payload: string, acknowledged?: () => void, retain?: boolean): void
  subscribe(filters: readonly string[], qos?: 0 | 1): Promise<void>
  /** Cuts the connection. */
  destroy(): void
  /** Leaves with a DISCONNECT. */
  end(): void
}

/** Resolves when the broker has let us in; rejects when it did not. */
export const openMqttClient = (options: MqttClientOptions): Promise<MqttClient> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(options.url)
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    const parser = mqttPacket.parser({ protocolVersion: 4 })
    const waiting = new Map<number, () => void>()
    let lastId = 0
    let buffered: Buffer[] = []
    let pinging: NodeJS.Timeout | undefined

    const flush = (): void => {
      const parts = buffered
      buffered = []
      if (!socket.destroyed) socket.write(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))
    }
    const send = (bytes: Buffer): void => {
      if (buffered.length === 0) setImmediate(flush)
      buffered.push(bytes)
    }
    const nextId = (): number => {
      do lastId = (lastId % 65_535) + 1
      while (waiting.has(lastId))
      return lastId
    }

    const client: MqttClient = {
      publish: (topic, payload, acknowledged, retain = false) => {
        const packet: IPublishPacket = { cmd: 'publish', topic, payload, qos: acknowledged ? 1 : 0, retain, dup: false }
        if (acknowledged) {
          packet.messageId = nextId()
          waiting.set(packet.messageId, acknowledged)
        }
        send(mqttPacket.generate(packet))
      },
      subscribe: (filters, qos = 1) =>
        new Promise((subscribed) => {
          const messageId = nextId()
          waiting.set(messageId, subscribed)
          send(mqttPacket.generate({ cmd: 'subscribe', messageId, subscriptions: filters.map((topic) => ({ topic, qos })) }))
        }),
      destroy: () => {
        socket.destroy()
      },
      end: () => {
        send(mqttPacket.generate({ cmd: 'disconnect' }))
        setImmediate(() => socket.end())
      },
    }

    parser.on('packet', (packet: Packet) => {
      switch (packet.cmd) {
        case 'connack':
          if (packet.returnCode === 0) {
            pinging = setInterval(() => send(mqttPacket.generate({ cmd: 'pingreq' })), (options.keepalive ?? 60) * 500)
            return resolve(client)
          }
          reject(new Error(`connection refused: ${packet.returnCode}`))
          return socket.destroy()
        case 'publish': {
          if (packet.qos === 1 && packet.messageId !== undefined) send(pubackOf(packet.messageId))
          const { payload } = packet
          return options.onMessage(packet.topic, typeof payload === 'string' ? Buffer.from(payload) : payload)
        }
        case 'puback':
        case 'suback': {
          const id = packet.messageId ?? 0
          const done = waiting.get(id)
          waiting.delete(id)
          return done?.()
        }
      }
    })
    parser.on('error', (error: Error) => socket.destroy(error))
    socket.on('data', (chunk) => parser.parse(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      clearInterval(pinging)
      reject(new Error('the broker closed the connection'))
      options.onClose?.()
    })
    socket.on('connect', () =>
      send(
        mqttPacket.generate({
          cmd: 'connect',
          protocolId: 'MQTT',
          protocolVersion: 4,
          clean: true,
          clientId: options.clientId,
          keepalive: options.keepalive ?? 60,
          username: 'bench',
          password: Buffer.from(options.token),
          ...(options.will ? { will: { ...options.will, qos: 1 as const } } : {}),
        }),
      ),
    )
  })

const pubackOf = (id: number): Buffer => Buffer.from([0x40, 2, id >> 8, id & 255])
