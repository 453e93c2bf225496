import { createServer, connect as dial, type Socket } from 'node:net'
import mqttPacket, { type IPublishPacket, type Packet } from 'mqtt-packet'
import { seeded } from './seeded.ts'

/** up: from the client to the broker. */
export type Direction = 'up' | 'down'

/** How PUBLISH packets fare, each chance from 0 to 1. Nothing ever disconnects. */
export interface Faults {
  drop?: number
  /** The packet goes out twice. */
  double?: number
  /** It waits for up to so many milliseconds while others pass it. */
  delay?: number
  delayMs?: number
  /** One that went by earlier goes out once more. */
  replay?: number
}

export interface Passed {
  direction: Direction
  packet: IPublishPacket
}

interface Line {
  client: Socket
  broker: Socket
  /** Hands a packet to the other side as it is. */
  send: Record<Direction, (packet: Packet) => void>
}

const rememberedPackets = 2000

/** A TCP proxy between an MQTT client and its broker that can be cut, frozen, and made to mistreat PUBLISH packets from a seed. */
export const startProxy = async (brokerUrl: string, seed = 1) => {
  const target = new URL(brokerUrl)
  const chance = seeded(seed)
  const lines = new Set<Line>()
  const waiting = new Set<Socket>()
  const passed: Passed[] = []
  const counts = { dropped: 0, doubled: 0, delayed: 0, replayed: 0 }
  let state: 'open' | 'cut' | 'frozen' = 'open'
  let faults: Faults = {}

  const open = (client: Socket): void => {
    const broker = dial(Number(target.port), target.hostname)
    const line: Line = { client, broker, send: { up: sender(broker), down: sender(client) } }
    lines.add(line)
    pump(line, 'up', client)
    pump(line, 'down', broker)
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      one.on('error', () => undefined) // 'close' follows, and says all that matters here
      one.on('close', () => {
        // Through a frozen line nobody hears that the other side has gone.
        if (state === 'frozen') return
        other.destroy()
        lines.delete(line)
      })
    }
  }

  const pump = (line: Line, direction: Direction, from: Socket): void => {
    const parser = mqttPacket.parser({ protocolVersion: 4 })
    parser.on('packet', (packet: Packet) => {
      if (packet.cmd === 'publish') mistreat(line, direction, packet)
      else line.send[direction](packet)
    })
    parser.on('error', () => from.destroy())
    from.on('data', (chunk) => parser.parse(chunk))
  }

  const mistreat = (line: Line, direction: Direction, packet: IPublishPacket): void => {
    passed.push({ direction, packet })
    if (passed.length > rememberedPackets) passed.shift()
    const { drop = 0, double = 0, delay = 0, delayMs = 1000, replay = 0 } = faults
    const send = line.send[direction]
    if (chance.isLucky(drop)) {
      counts.dropped++
      // Sometimes the receipt comes all the same: a broker may lose what it has acknowledged.
      if (packet.qos === 1 && packet.messageId !== undefined && chance.isLucky(0.5))
        line.send[direction === 'up' ? 'down' : 'up']({ cmd: 'puback', messageId: packet.messageId })
      return
    }
    if (chance.isLucky(delay)) {
      counts.delayed++
      setTimeout(() => send(packet), chance.between(0, delayMs))
    } else send(packet)
    if (chance.isLucky(double)) {
      counts.doubled++
      send(chance.isLucky(0.5) ? packet : copyOf(packet))
    }
    const old = passed[chance.below(passed.length)]
    if (old && chance.isLucky(replay)) {
      counts.replayed++
      line.send[old.direction](copyOf(old.packet))
    }
  }

  const server = createServer((client) => {
    client.setNoDelay(true)
    client.on('error', () => undefined)
    if (state === 'cut') client.destroy()
    else if (state === 'frozen') waiting.add(client)
    else open(client)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address !== 'object') throw new Error('Cannot tell the port of the proxy')

  const destroyAll = (): void => {
    for (const { client, broker } of lines) {
      client.destroy()
      broker.destroy()
    }
    lines.clear()
    for (const client of waiting) client.destroy()
    waiting.clear()
  }

  return {
    url: `mqtt://127.0.0.1:${address.port}`,
    /** PUBLISH packets that came by, oldest first. */
    passed: passed as readonly Passed[],
    counts: counts as Readonly<typeof counts>,
    connections: (): number => lines.size,
    /** From now on packets fare so; without faults they pass. */
    setFaults: (next: Faults): void => {
      faults = next
    },
    /** Closes all connections, and every new one at once. */
    cut: (): void => {
      state = 'cut'
      destroyAll()
    },
    /** No byte passes any more, and nobody is told: half-open connections. */
    freeze: (): void => {
      state = 'frozen'
      for (const { client, broker } of lines) {
        client.pause()
        broker.pause()
      }
    },
    /** After a cut or a freeze: everything passes again. What froze is gone, as after a change of address. */
    mend: (): void => {
      if (state === 'frozen') destroyAll()
      state = 'open'
    },
    /** Sends a packet to one side, as if the other had sent it. */
    inject: (direction: Direction, packet: IPublishPacket): void => {
      for (const line of lines) line.send[direction](packet)
    },
    close: async (): Promise<void> => {
      state = 'cut'
      destroyAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
export type BadWire = Awaited<ReturnType<typeof startProxy>>

/** The same message without a packet identifier, which may be in use for another one by now [MQTT-2.3.1-2]. */
export const copyOf = (packet: IPublishPacket, change: Partial<IPublishPacket> = {}): IPublishPacket => {
  const { messageId: _, ...rest } = packet
  return { ...rest, qos: 0, dup: false, ...change }
}

const sender =
  (to: Socket) =>
  (packet: Packet): void => {
    if (!to.destroyed) to.write(mqttPacket.generate(packet))
  }
