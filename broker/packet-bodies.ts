import { isUtf8 } from 'node:buffer'
import { type ConnectPacket, type Fault, lengthBytes, type Packet, type PublishPacket, type Qos, types } from './packets.ts'

/** Reads the body of a packet, strictly: every rule of MQTT 3.1.1 that bytes alone can break is looked at here. */
export const readBody = (type: number, flags: number, body: Buffer): Packet | Fault => {
  switch (type) {
    case types.publish:
      return readPublish(flags, body)
    case types.puback:
      return readId('puback', body)
    case types.pubrec:
      return readId('pubrec', body)
    case types.pubrel:
      return readId('pubrel', body)
    case types.pubcomp:
      return readId('pubcomp', body)
    case types.connect:
      return readConnect(body)
    case types.subscribe:
      return readSubscribe(body)
    case types.unsubscribe:
      return readUnsubscribe(body)
    case types.pingreq:
      return body.length === 0 ? { kind: 'pingreq' } : fault('a PINGREQ has a body')
    case types.disconnect:
      return body.length === 0 ? { kind: 'disconnect' } : fault('a DISCONNECT has a body')
    default:
      return fault('a packet is of a type that no client sends')
  }
}

/** What the lower half of the first byte must be [MQTT-2.2.2-1]; undefined for what no client sends. PUBLISH has flags of its own. */
export const faultOfFirstByte = (byte: number): string | undefined => {
  const type = byte >> 4
  const flags = byte & 15
  if (type === types.publish) {
    if ((flags & 6) === 6) return 'a PUBLISH has QoS 3' // [MQTT-3.3.1-4]
    return (flags & 14) === 8 ? 'a PUBLISH of QoS 0 has DUP set' : undefined // [MQTT-3.3.1-2]
  }
  const wanted = flagsOf[type]
  if (wanted === undefined) return 'a packet is of a type that no client sends'
  return flags === wanted ? undefined : 'the flags of a packet are not what they must be' // [MQTT-2.2.2-2]
}

const flagsOf: Readonly<Record<number, number>> = {
  [types.connect]: 0,
  [types.puback]: 0,
  [types.pubrec]: 0,
  [types.pubrel]: 2,
  [types.pubcomp]: 0,
  [types.subscribe]: 2,
  [types.unsubscribe]: 2,
  [types.pingreq]: 0,
  [types.disconnect]: 0,
}

const fault = (reason: string): Fault => ({ kind: 'fault', reason })
const notText = fault('a string is cut off, is not UTF-8, or has U+0000 in it')

/** A string at `at`, behind its length; undefined if it is cut off or is not what MQTT allows [MQTT-1.5.3-1] [MQTT-1.5.3-2]. */
const textAt = (body: Buffer, at: number): string | undefined => {
  const from = at + 2
  if (from > body.length) return undefined
  const to = from + body.readUInt16BE(at)
  if (to > body.length) return undefined
  for (let i = from; i < to; i++) {
    const byte = body[i] ?? 0
    if (byte === 0) return undefined
    if (byte > 127) {
      const rest = body.subarray(i, to)
      return isUtf8(rest) && !rest.includes(0) ? body.toString('utf8', from, to) : undefined
    }
  }
  return body.toString('latin1', from, to)
}

/** The length of a string or of bytes behind their length. */
const sizeAt = (body: Buffer, at: number): number => 2 + body.readUInt16BE(at)

const readPublish = (flags: number, body: Buffer): PublishPacket | Fault => {
  const topic = textAt(body, 0)
  if (topic === undefined) return notText
  let at = sizeAt(body, 0)
  const qos = qosOf((flags >> 1) & 3)
  let id = 0
  if (qos > 0) {
    if (at + 2 > body.length) return fault('a PUBLISH ends before its packet identifier')
    id = body.readUInt16BE(at)
    if (id === 0) return noId
    at += 2
  }
  return { kind: 'publish', topic, payload: body.subarray(at), qos, retain: (flags & 1) === 1, id }
}

const noId = fault('a packet identifier is 0') // [MQTT-2.3.1-1]

const readId = (kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', body: Buffer): Packet | Fault => {
  if (body.length !== 2) return fault(`a ${kind.toUpperCase()} does not have two bytes`)
  const id = body.readUInt16BE(0)
  return id === 0 ? noId : { kind, id }
}

const readConnect = (body: Buffer): ConnectPacket | Fault => {
  const protocol = textAt(body, 0)
  if (protocol !== 'MQTT' && protocol !== 'MQIsdp') return fault('this is not MQTT') // [MQTT-3.1.2-1]
  let at = sizeAt(body, 0)
  if (at + 4 > body.length) return fault('a CONNECT ends too early')
  const level = body[at]
  // MQTT 3.1 differs from 3.1.1 in its name and number alone, as far as a broker sees it.
  if (level !== (protocol === 'MQTT' ? 4 : 3)) return { kind: 'fault', reason: 'another version of MQTT', code: 1 } // [MQTT-3.1.2-2]
  const flags = body[at + 1] ?? 0
  const keepaliveSeconds = body.readUInt16BE(at + 2)
  at += 4
  const wrong = faultOfConnectFlags(flags)
  if (wrong !== undefined) return fault(wrong)

  let isWhole = true
  const text = (): string => {
    const found = isWhole ? textAt(body, at) : undefined
    if (found === undefined) isWhole = false
    else at += sizeAt(body, at)
    return found ?? ''
  }
  const bytes = (): Buffer => {
    if (!isWhole || at + 2 > body.length || at + sizeAt(body, at) > body.length) {
      isWhole = false
      return Buffer.alloc(0)
    }
    const found = body.subarray(at + 2, at + sizeAt(body, at))
    at += 2 + found.length
    return found
  }
  const clientId = text() // the order is that of [MQTT-3.1.3-1]
  const will = flags & 4 ? { topic: text(), retain: (flags & 32) > 0 } : undefined
  if (will) bytes()
  const loginAt = at
  if (flags & 128) text()
  const password = flags & 64 ? bytes() : undefined
  if (!isWhole) return notText
  if (at !== body.length) return fault('a CONNECT has more than its fields')
  const withoutLogin = connectOf(body.subarray(0, loginAt), sizeAt(body, 0) + 1)
  return { kind: 'connect', clean: (flags & 2) > 0, keepaliveSeconds, clientId, will, password, withoutLogin }
}

/** A CONNECT of this body, with the flags at `flagsAt` saying that it has no user name and no password. */
const connectOf = (body: Buffer, flagsAt: number): Buffer => {
  const head = [types.connect << 4, ...lengthBytes(body.length)]
  // Not from the pool that small buffers share: all of that would be kept with it.
  const packet = Buffer.allocUnsafeSlow(head.length + body.length)
  packet.set(head)
  body.copy(packet, head.length)
  packet[head.length + flagsAt] = (body[flagsAt] ?? 0) & ~0xc0
  return packet
}

const faultOfConnectFlags = (flags: number): string | undefined => {
  if (flags & 1) return 'the reserved flag of a CONNECT is set' // [MQTT-3.1.2-3]
  if (!(flags & 4) && flags & 0x38) return 'a CONNECT has flags of a will, but no will' // [MQTT-3.1.2-13] [MQTT-3.1.2-15]
  if ((flags & 0x18) === 0x18) return 'a will has QoS 3' // [MQTT-3.1.2-14]
  if (flags & 64 && !(flags & 128)) return 'a CONNECT has a password, but no user name' // [MQTT-3.1.2-22]
  return undefined
}

const readSubscribe = (body: Buffer): Packet | Fault => {
  const wanted: { filter: string; qos: Qos }[] = []
  const id = listOf(body, (filter, at) => {
    const byte = body[at]
    if (byte === undefined || byte > 2) return 'a SUBSCRIBE asks for no QoS that there is' // [MQTT-3.8.3-4]
    wanted.push({ filter, qos: qosOf(byte) })
    return 1
  })
  return typeof id === 'number' ? { kind: 'subscribe', id, wanted } : id
}

const readUnsubscribe = (body: Buffer): Packet | Fault => {
  const filters: string[] = []
  const id = listOf(body, (filter) => {
    filters.push(filter)
    return 0
  })
  return typeof id === 'number' ? { kind: 'unsubscribe', id, filters } : id
}

/** Reads an identifier and then strings, each with what `take` reads behind it; `take` tells its length, or what is wrong. */
const listOf = (body: Buffer, take: (filter: string, at: number) => number | string): number | Fault => {
  if (body.length < 2) return fault('a packet ends before its packet identifier')
  const id = body.readUInt16BE(0)
  if (id === 0) return noId
  let at = 2
  if (at === body.length) return fault('a packet has no filter') // [MQTT-3.8.3-3] [MQTT-3.10.3-2]
  while (at < body.length) {
    const filter = textAt(body, at)
    if (filter === undefined) return notText
    at += sizeAt(body, at)
    const more = take(filter, at)
    if (typeof more === 'string') return fault(more)
    at += more
  }
  return id
}

const qosOf = (value: number): Qos => (value === 1 ? 1 : value === 2 ? 2 : 0)
