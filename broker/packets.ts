/** The packets of MQTT 3.1.1 that a client sends [MQTT-2.2.1], once their bytes have been found right. */
export type Qos = 0 | 1 | 2

/** What of a will is looked at before its client is let in. */
export interface Will {
  topic: string
  retain: boolean
}

export interface ConnectPacket {
  kind: 'connect'
  clean: boolean
  keepaliveSeconds: number
  clientId: string
  will: Will | undefined
  password: Buffer | undefined
  /** The whole packet without user name and password, as bytes of its own. */
  withoutLogin: Buffer
}

export interface PublishPacket {
  kind: 'publish'
  topic: string
  payload: Buffer
  qos: Qos
  retain: boolean
  /** 0 for QoS 0. */
  id: number
}

export type Packet =
  | ConnectPacket
  | PublishPacket
  | { kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'; id: number }
  | { kind: 'subscribe'; id: number; wanted: { filter: string; qos: Qos }[] }
  | { kind: 'unsubscribe'; id: number; filters: string[] }
  | { kind: 'pingreq' | 'disconnect' }

/** The remaining length as it stands in a packet [MQTT-2.2.3]. */
export const lengthBytes = (length: number): number[] => {
  const bytes: number[] = []
  let rest = length
  do {
    bytes.push(rest > 127 ? (rest & 127) | 128 : rest)
    rest >>= 7
  } while (rest > 0)
  return bytes
}

/** Why bytes are no packet, or none that is taken. `code` is what the CONNACK says, where there is one [MQTT-3.1.2-2]. */
export interface Fault {
  kind: 'fault'
  reason: string
  code?: 1
}

/** The numbers of the packet types [MQTT-2.2.1]. */
export const types = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const
