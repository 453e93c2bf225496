import mqttPacket from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { createPacketReader } from '../../broker/packet-reader.ts'
import type { Fault, Packet } from '../../broker/packets.ts'
import { seeded } from '../harness/seeded.ts'

/** Everything that a reader finds in these chunks, up to the first fault. */
const readAll = (chunks: readonly Buffer[], most = 1024 * 1024): (Packet | Fault)[] => {
  const reader = createPacketReader(() => most)
  const found: (Packet | Fault)[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    for (let one = reader.next(); one; one = reader.next()) {
      found.push(one.packet)
      if (one.packet.kind === 'fault') return found
    }
  }
  return found
}
const publish = (payload: Buffer, messageId = 7): Buffer =>
  mqttPacket.generate({ cmd: 'publish', topic: 'a/ü', payload, qos: 1, retain: true, dup: false, messageId })
const reasonOf = (...bytes: number[]): string | undefined => {
  const [first] = readAll([Buffer.from(bytes)])
  return first?.kind === 'fault' ? first.reason : undefined
}

describe('createPacketReader()', () => {
  test('finds the same packets however the bytes are cut', () => {
    const sizes = [0, 1, 100, 127, 128, 8192, 8193, 16_384]
    const payloads = sizes.map((size) => Buffer.alloc(size, size))
    const bytes = Buffer.concat(
      payloads.flatMap((one, i) => [
        publish(one, i + 1),
        mqttPacket.generate({ cmd: 'puback', messageId: i + 1 }),
        Buffer.from([0xc0, 0]),
      ]),
    )
    const wanted = payloads.flatMap((payload, i) => [
      { kind: 'publish', topic: 'a/ü', payload, qos: 1, retain: true, id: i + 1 },
      { kind: 'puback', id: i + 1 },
      { kind: 'pingreq' },
    ])
    expect(readAll([bytes])).toEqual(wanted)
    expect(readAll(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))).toEqual(wanted)
    const chance = seeded(1)
    for (let round = 0; round < 5; round++) {
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + chance.below(9000)
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      expect(readAll(chunks)).toEqual(wanted)
    }
  })
  test('refuses a packet that is too long by its announcement', () => {
    expect(readAll([Buffer.from([0x30, 0x81, 0x80, 0x04])], 65_536)).toEqual([
      { kind: 'fault', reason: expect.stringContaining('65537') },
    ])
    expect(readAll([Buffer.from([0x30, 0x80, 0x80, 0x04])], 65_536)).toEqual([])
  })
  test('refuses a length of five bytes [MQTT-2.2.3]', () => {
    expect(reasonOf(0x30, 0xff, 0xff, 0xff, 0xff)).toContain('four bytes')
  })
  test.each([
    ['type 0', 0x00],
    ['CONNACK', 0x20],
    ['SUBACK', 0x90],
    ['UNSUBACK', 0xb0],
    ['PINGRESP', 0xd0],
    ['type 15', 0xf0],
    ['CONNECT with flags', 0x11],
    ['PUBREL without its flag', 0x60],
    ['SUBSCRIBE without its flag', 0x80],
    ['UNSUBSCRIBE without its flag', 0xa0],
    ['DISCONNECT with flags', 0xe1],
    ['PUBLISH of QoS 3', 0x36],
    ['PUBLISH of QoS 0 with DUP', 0x38],
  ])('refuses %s by its first byte', (_, byte) => {
    expect(reasonOf(byte)).toBeDefined()
  })
  test.each<[string, number[]]>([
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a byte that starts nothing', [0x61, 0xff]],
    ['a character that is cut off', [0xe2, 0x82]],
    ['U+0000', [0x61, 0x00]],
    ['U+0000 behind a wide character', [0xc3, 0xbc, 0x00]],
    ['a code point beyond the last', [0xf4, 0x90, 0x80, 0x80]],
  ])('refuses a string with %s [MQTT-1.5.3-1] [MQTT-1.5.3-2]', (_, text) => {
    expect(reasonOf(0x30, text.length + 2, 0, text.length, ...text)).toContain('UTF-8')
    expect(reasonOf(0xa2, text.length + 4, 0, 1, 0, text.length, ...text)).toContain('UTF-8')
  })
  test('keeps a U+FEFF where it stands [MQTT-1.5.3-3]', () => {
    expect(readAll([Buffer.from([0x30, 6, 0, 4, 0xef, 0xbb, 0xbf, 0x61])])).toMatchObject([{ topic: '\ufeffa' }])
  })
  test.each<[string, number[]]>([
    ['an identifier of 0 in a PUBLISH', [0x32, 5, 0, 1, 0x61, 0, 0]],
    ['an identifier of 0 in a PUBACK', [0x40, 2, 0, 0]],
    ['an identifier of 0 in a SUBSCRIBE', [0x82, 6, 0, 0, 0, 1, 0x61, 0]],
    ['a PUBLISH without identifier', [0x32, 4, 0, 1, 0x61, 0]],
    ['a PUBACK of three bytes', [0x40, 3, 0, 1, 0]],
    ['a SUBSCRIBE without filter', [0x82, 2, 0, 1]],
    ['a SUBSCRIBE with QoS 3', [0x82, 6, 0, 1, 0, 1, 0x61, 3]],
    ['a SUBSCRIBE with reserved bits', [0x82, 6, 0, 1, 0, 1, 0x61, 4]],
    ['a SUBSCRIBE without its QoS', [0x82, 5, 0, 1, 0, 1, 0x61]],
    ['an UNSUBSCRIBE without filter', [0xa2, 2, 0, 1]],
    ['a PINGREQ with a body', [0xc0, 1, 0]],
    ['a DISCONNECT with a body', [0xe0, 1, 0]],
    ['a string longer than its packet', [0x30, 3, 0, 9, 0x61]],
    ['an empty PUBLISH', [0x30, 0]],
    ['an empty CONNECT', [0x10, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(reasonOf(...bytes)).toBeDefined()
  })
  test('survives random bytes, and never gives a packet that is none', () => {
    const chance = seeded(2)
    for (let round = 0; round < 5000; round++) {
      const bytes = Buffer.from(Array.from({ length: 1 + chance.below(40) }, () => chance.below(256)))
      for (const one of readAll([bytes])) {
        if (one.kind === 'publish') expect(one.topic).not.toContain('\u0000')
        if ('id' in one && (one.kind !== 'publish' || one.qos > 0)) expect(one.id).toBeGreaterThan(0)
      }
    }
  })
})
