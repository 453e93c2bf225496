import { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Limits } from './limits.ts'
import { createOutgoing, type Outgoing } from './outgoing.ts'
import { createPacketReader, type PacketReader } from './packet-reader.ts'
import { type ConnectPacket, lengthBytes, type Packet, type Qos, types } from './packets.ts'
import type { Counters } from './stats.ts'

export interface WireDeps {
  limits: Limits
  clock: Clock
  counters: Counters
  onConnect: (packet: ConnectPacket) => void
  /** Whether the session was there before [MQTT-3.2.2-2]; asked when a client is let in. */
  wasPresent: () => boolean
}

/**
 * A connection as Aedes sees it. Inwards it hands on whole packets only, whose bytes have been found right; behind a CONNECT nothing
 * before the CONNACK has gone out. Outwards it always says "go on", so that nobody waits for a client that takes in nothing: what waits
 * has a bound, and who is beyond it is closed. What a turn of the loop brings about leaves in one system call.
 */
export class Wire extends Duplex {
  /** Why it has ended. */
  reason: string | undefined
  readonly #conn: Duplex
  readonly #deps: WireDeps
  readonly #reader: PacketReader
  readonly #out: Outgoing
  #state: 'silent' | 'entering' | 'in' | 'refused' | 'over' = 'silent'
  #hasEnded = false
  #isNewPacket = false
  #answer: Buffer[] | undefined
  #isResting = false
  #fullSince: number | undefined
  #waiting: (() => void)[] = []
  /** SUBSCRIBEs that have a filter twice: Aedes answers one code for both. */
  #repeated: Map<number, readonly { filter: string; qos: Qos }[]> | undefined

  constructor(conn: Duplex, deps: WireDeps) {
    super()
    const { limits, clock, counters } = deps
    this.#conn = conn
    this.#deps = deps
    this.#reader = createPacketReader(() => (this.#state === 'in' ? limits.packetBytes : limits.packetBeforeLoginBytes))
    this.#out = createOutgoing(conn, {
      unsentBytes: limits.unsentBytes,
      mono: clock.mono,
      onRoom: () => {
        this.#fullSince = undefined
        this.#letGo()
      },
      onBytes: (count) => {
        counters.bytesOut += count
      },
    })
    conn.on('data', (chunk: Buffer) => this.#take(chunk))
    conn.on('end', () => {
      this.#hasEnded = true
      if (this.#state !== 'in' || this.#reader.waiting() === 0) this.close(hasGone)
    })
    conn.on('error', (error) => this.close(error.message))
    conn.on('close', () => this.close(hasGone))
  }

  isStalled(now: number): boolean {
    return this.#out.isStalled(now, this.#deps.limits.stalledMs)
  }
  unsentBytes(): number {
    return this.#out.unsentBytes()
  }
  /** Ends it without a word [MQTT-4.8.0-1]; what was done is acknowledged. */
  close(reason: string): void {
    this.reason ??= reason
    this.destroy()
  }

  /** Reads no more until another takes in again what this one sends it, but not for long. */
  restFor(other: Wire): void {
    if (this.#isResting || !other.#whenFree(() => this.#goOn())) return
    this.#isResting = true
    this.#conn.pause()
  }
  #goOn(): void {
    this.#isResting = false
    if (this.#state !== 'over') this.#conn.resume()
  }
  /** False if it has been full for so long that nobody waits for it. */
  #whenFree(call: () => void): boolean {
    if (!this.#out.isFull()) return false
    const { clock, limits } = this.#deps
    const now = clock.mono()
    if (this.#fullSince === undefined) {
      this.#fullSince = now
      clock.after(limits.patienceMs, () => this.#letGo())
    } else if (now - this.#fullSince >= limits.patienceMs) return false
    this.#waiting.push(call)
    return true
  }
  #letGo(): void {
    const calls = this.#waiting
    this.#waiting = []
    for (const call of calls) call()
  }

  #take(chunk: Buffer): void {
    if (this.destroyed || this.#state === 'over') return
    this.#deps.counters.bytesIn += chunk.length
    this.#reader.push(chunk)
    this.emit('readable')
    // Aedes is busy with what it has, so the client waits. A packet that is not whole yet needs the rest.
    if (this.#reader.waiting() > this.#deps.limits.packetBytes + 65_536) this.#conn.pause()
  }

  /** Aedes asks for everything there is, with `null`; Node itself asks with 0 whether there is anything. */
  override read(size?: number | null): Buffer | null {
    if (size === 0 || this.destroyed) return null
    const packets: Buffer[] = []
    while (!this.destroyed && (this.#state === 'silent' || this.#state === 'in')) {
      const found = this.#reader.next()
      if (!found) break
      const { packet, bytes } = found
      if (packet.kind === 'fault') {
        if (packet.code !== undefined && this.#state === 'silent') this.#refuse(packet.code, packet.reason)
        else if (packets.length === 0) this.close(packet.reason)
        else this.#over(packet.reason)
      } else {
        // Who a client is has been told by its login, which is kept no longer than it takes.
        packets.push(packet.kind === 'connect' ? packet.withoutLogin : bytes)
        this.#look(packet)
      }
    }
    if (this.#state !== 'over' && !this.#isResting) this.#conn.resume()
    if (this.#hasEnded) this.#over(hasGone)
    const [only] = packets
    return only === undefined ? null : packets.length === 1 ? only : Buffer.concat(packets)
  }

  #look(packet: Packet): void {
    switch (packet.kind) {
      case 'connect':
        if (this.#state !== 'silent') break // Aedes closes on a second one [MQTT-3.1.0-2]
        this.#state = 'entering'
        this.#deps.onConnect(packet)
        break
      case 'disconnect':
        if (this.#state === 'in') this.#state = 'over' // nothing behind it is read
        this.reason ??= 'the client has disconnected'
        break
      case 'publish':
        this.#deps.counters.messagesIn += 1
        break
      case 'subscribe':
        if (new Set(packet.wanted.map((one) => one.filter)).size < packet.wanted.length) {
          this.#repeated ??= new Map()
          this.#repeated.set(packet.id, packet.wanted)
        }
        break
      default:
        break
    }
    if (this.#state === 'silent') this.#over('the first packet is no CONNECT') // [MQTT-3.1.0-1]
  }

  /** Reads no more, and closes when Aedes has answered what came before. */
  #over(reason: string): void {
    this.#state = 'over'
    this.#conn.pause()
    setImmediate(() => this.close(reason))
  }

  /** Before Aedes has seen the CONNECT. */
  #refuse(code: number, reason: string): void {
    this.#connack(Buffer.from([types.connack << 4, 2, 0, code]))
    this.close(reason)
  }

  override write(chunk: Buffer | string): boolean {
    if (this.destroyed) return true
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    if (this.#isNewPacket) {
      this.#isNewPacket = false
      const type = (bytes[0] ?? 0) >> 4
      if (type === types.publish) this.#deps.counters.messagesOut += 1
      else if (type === types.connack || type === types.suback) this.#answer = []
    }
    if (this.#answer) this.#collect(this.#answer, bytes)
    else this.#out.write(bytes)
    if (this.#out.unsentBytes() > this.#deps.limits.waitingBytes) {
      this.#deps.counters.clientsStalled += 1
      this.close('it does not take in what it is sent')
    }
    return true
  }
  /** What encodes packets corks before each. */
  override cork(): void {
    this.#isNewPacket = true
  }
  override uncork(): void {}

  #collect(parts: Buffer[], bytes: Buffer): void {
    parts.push(bytes)
    const packet = Buffer.concat(parts)
    const size = sizeOf(packet)
    if (!size || packet.length < size.from + size.length) return
    this.#answer = undefined
    if ((packet[0] ?? 0) >> 4 === types.connack) this.#connack(packet)
    else this.#out.write(this.#suback(packet))
  }

  #connack(packet: Buffer): void {
    const code = packet[3] ?? 0
    this.#state = code === 0 ? 'in' : 'refused'
    this.#out.write(Buffer.from([types.connack << 4, 2, code === 0 && this.#deps.wasPresent() ? 1 : 0, code]))
  }

  /** One code for each filter of the SUBSCRIBE, also for one that comes twice [MQTT-3.8.4-5] [MQTT-3.9.3-1]. */
  #suback(packet: Buffer): Buffer {
    const at = sizeOf(packet)?.from ?? 2
    const id = packet.readUInt16BE(at)
    const wanted = this.#repeated?.get(id)
    if (!wanted) return packet
    this.#repeated?.delete(id)
    const given = new Map<string, number>()
    for (const { filter } of wanted) if (!given.has(filter)) given.set(filter, packet[at + 2 + given.size] ?? refused)
    const codes = wanted.map(({ filter, qos }) => (given.get(filter) === refused ? refused : qos))
    return Buffer.from([types.suback << 4, ...lengthBytes(2 + codes.length), id >> 8, id & 255, ...codes])
  }

  override _read(): void {}
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.reason ??= error?.message ?? 'the client has gone'
    const isRefused = this.#state === 'refused'
    this.#state = 'over'
    this.#out.flush()
    this.#letGo()
    if (isRefused) {
      // What it still sends is thrown away: unread, it would make the kernel cut off the answer [MQTT-3.2.2-5].
      this.#conn.end()
      this.#conn.resume()
      this.#deps.clock.after(1000, () => this.#conn.destroy())
    } else this.#conn.destroy()
    done(error)
  }
}

const hasGone = 'the client has gone'
const refused = 0x80

/** The remaining length of a packet, and where it begins [MQTT-2.2.3]; undefined until its bytes are there. */
const sizeOf = (packet: Buffer): { length: number; from: number } | undefined => {
  let length = 0
  for (let digit = 1; digit <= 4; digit++) {
    const byte = packet[digit]
    if (byte === undefined) return undefined
    length += (byte & 127) * 128 ** (digit - 1)
    if (byte < 128) return { length, from: digit + 1 }
  }
  return undefined
}
