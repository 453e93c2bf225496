import { execFile, execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Packet } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Bus, Message } from '../../base/bus.ts'
import { systemChance } from '../../base/chance.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { startMqttBus } from '../../base/mqtt-bus.ts'
import { controllerClientId, deviceClientId } from '../../schemas/client-ids.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { mosquittoPubProgram } from '../harness/mosquitto.ts'
import { openRawMqtt, type RawConnect, type RawMqtt } from '../harness/raw-mqtt.ts'
import { startTestBroker, type TestBroker } from '../harness/test-broker.ts'

const fleet = 'default'
const request = (client: string): string => topicOf(fleet, 'request', { client, operation: 'task/submit' })
const requests = topicOf(fleet, 'request', { client: '+', operation: '#' })
const event = topicOf(fleet, 'event', { kind: 'task' })
const stateOf = (device: string): string => topicOf(fleet, 'deviceState', { device })

let world: TestBroker
let raws: RawMqtt[] = []
let buses: Bus[] = []
beforeEach(async () => {
  world = await startTestBroker()
})
afterEach(async () => {
  for (const raw of raws) raw.close()
  for (const bus of buses) await bus.close()
  raws = []
  buses = []
  await world.close()
})

const connect = async (how: RawConnect): Promise<RawMqtt> => {
  const raw = await openRawMqtt(world.broker.addresses.mqtt.url, how)
  raws.push(raw)
  return raw
}
const codeOf = async (raw: RawMqtt): Promise<number | undefined> => {
  const packet = await raw.next('connack')
  return packet.cmd === 'connack' ? packet.returnCode : undefined
}
const connected = async (how: RawConnect): Promise<RawMqtt> => {
  const raw = await connect(how)
  expect(await codeOf(raw)).toBe(0)
  return raw
}
const refusedWith = async (how: RawConnect): Promise<number | undefined> => {
  const raw = await connect(how)
  const code = await codeOf(raw)
  await raw.closed()
  return code
}
const publish = (topic: string, messageId: number, more: { retain?: boolean; qos?: 0 | 1; payload?: string } = {}): Packet => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(more.payload ?? '{}'),
  qos: more.qos ?? 1,
  retain: more.retain ?? false,
  dup: false,
  messageId,
})
const subscribe = (topic: string, messageId = 1): Packet => ({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1 }] })
const bus = (): Bus => {
  const one = world.broker.bus()
  buses.push(one)
  return one
}
const admin = (): Promise<string> => world.token('admin', 'admin')
const acknowledged = (raw: RawMqtt): number[] => raw.received.flatMap((one) => (one.cmd === 'puback' ? [one.messageId ?? 0] : []))

describe('the password is a token', () => {
  test('a good one is let in, whatever the user name', async () => {
    await connected({ token: await admin() })
  })

  test.each<[string, () => Promise<string | undefined>]>([
    ['none', async () => undefined],
    ['empty', async () => ''],
    ['no token', async () => 'secret'],
    ['expired', () => world.token('admin', 'admin', { now: Date.now() - 3_600_000, ttlSeconds: 60 })],
    ['of another fleet', () => world.token('admin', 'admin', { fleet: 'other' })],
    ['with a changed role', async () => withPayload(await world.token('eve', 'viewer'), { role: 'admin' })],
    ['without a signature', async () => (await admin()).replace(/[^.]*$/, '')],
    ['with the algorithm none', async () => `${part({ alg: 'none', typ: 'JWT' })}.${(await admin()).split('.')[1]}.`],
    ['signed with the public key as a secret', async () => withHmac(await admin(), world.keys.publicKeysPem())],
  ])('%s is refused with 4', async (_, token) => {
    const made = await token()
    expect(await refusedWith(made === undefined ? {} : { token: made })).toBe(4)
  })

  test('of another key is refused', async () => {
    const stranger = await startTestBroker()
    const token = await stranger.token('admin', 'admin')
    await stranger.close()
    expect(await refusedWith({ token })).toBe(4)
  })

  test('a connection ends when its token does', async () => {
    const raw = await connected({ token: await world.token('eve', 'viewer', { ttlSeconds: 2 }) })
    const stays = await connected({ token: await admin() })
    await raw.closed()
    expect(stays.isClosed()).toBe(false)
  })
})

describe('client ids', () => {
  const device = deviceClientId(fleet, 'd1')
  test('a device has its own', async () => {
    await connected({ token: await world.token('d1', 'device'), clientId: device })
  })
  test('nobody else may use it, neither a device nor an admin', async () => {
    expect(await refusedWith({ token: await world.token('d2', 'device'), clientId: device })).toBe(2)
    expect(await refusedWith({ token: await admin(), clientId: device })).toBe(2)
    expect(await refusedWith({ token: await world.token('d1', 'admin'), clientId: device })).toBe(2)
  })
  test("the controller's is its own", async () => {
    const clientId = controllerClientId(fleet)
    expect(await refusedWith({ token: await admin(), clientId })).toBe(2)
    await connected({ token: await world.token('controller', 'controller'), clientId })
  })
  test('an empty one with a clean session is let in, without one it is refused with 2', async () => {
    await connected({ token: await admin(), clientId: '' })
    expect(await refusedWith({ token: await admin(), clientId: '', clean: false })).toBe(2)
  })
  test.each(['+', '#', 'a/b', 'a\nb', 'a\u007f', 'x'.repeat(257)])('%j is refused', async (clientId) => {
    expect(await refusedWith({ token: await admin(), clientId })).toBe(2)
  })
  test('one in use is taken over by its own subject only', async () => {
    const first = await connected({ token: await admin(), clientId: 'desk' })
    expect(await refusedWith({ token: await world.token('eve', 'viewer'), clientId: 'desk' })).toBe(2)
    expect(first.isClosed()).toBe(false)
    await connected({ token: await admin(), clientId: 'desk' })
    await first.closed()
  })
  test('of a kept session it is for its own subject only, who finds there what has waited', async () => {
    const first = await connected({ token: await admin(), clientId: 'desk', clean: false })
    first.send(subscribe(event))
    await first.next('suback')
    first.close()
    await eventually('the broker has let go of it', () => world.broker.stats().sessionsKept === 1)
    bus().publish(event, 'waited')
    for (const clean of [true, false])
      expect(await refusedWith({ token: await world.token('eve', 'viewer'), clientId: 'desk', clean })).toBe(2)
    const again = await connected({ token: await admin(), clientId: 'desk', clean: false })
    expect(await again.next('publish')).toMatchObject({ topic: event })
  })
  test('rights follow the token: a name like another subject gives none', async () => {
    const raw = await connected({ token: await world.token('eve', 'viewer'), clientId: 'admin' })
    raw.send(publish(request('admin'), 1))
    await raw.closed()
    expect(acknowledged(raw)).toEqual([])
  })
})

describe('wills', () => {
  test('one that may be published is, when the connection is lost', async () => {
    const heard: Message[] = []
    await bus().subscribe(stateOf('d1'), (message) => {
      heard.push(message)
    })
    const raw = await connected({ token: await world.token('d1', 'device'), will: { topic: stateOf('d1'), retain: true } })
    expect(heard).toEqual([])
    raw.close()
    await eventually('heard.length === 1', () => heard.length === 1)
  })
  test.each([
    ['on the topic of another device', stateOf('d2'), true],
    ['on a wildcard', `skein/v1/${fleet}/#`, false],
    ['on no topic', '', false],
    ['on $SYS', '$SYS/x', false],
    ['retained where nothing is retained', topicOf(fleet, 'deviceRun', { device: 'd1' }), true],
  ])('one %s is refused with 5', async (_, topic, retain) => {
    const raw = await connect({ token: await world.token('d1', 'device'), will: { topic, retain } })
    expect(await codeOf(raw)).toBe(5)
    await raw.closed()
  })
})

describe('publish and subscribe', () => {
  test('a publish without the right closes the connection, unacknowledged', async () => {
    for (const topic of [
      request('eve-x'),
      event,
      `skein/v1/other/request/eve/task/submit`,
      '$SYS/x',
      'a',
      request('eve').replace('eve', '+'),
    ]) {
      const raw = await connected({ token: await world.token('eve', 'viewer') })
      raw.send(publish(topic, 1))
      await raw.closed()
      expect(acknowledged(raw)).toEqual([])
    }
  })
  test("an asker's own request passes whatever the operation: the controller answers", async () => {
    const raw = await connected({ token: await world.token('eve', 'viewer') })
    raw.send(publish(request('eve'), 7), publish(topicOf(fleet, 'request', { client: 'eve', operation: 'no/such' }), 8))
    await eventually('acknowledged(raw).length === 2', () => acknowledged(raw).length === 2)
  })
  test('retain where the table retains nothing closes the connection', async () => {
    const raw = await connected({ token: await admin() })
    raw.send(publish(request('admin'), 1, { retain: true }))
    await raw.closed()
  })
  test('a subscription without the right gets 0x80, the others of the packet stand', async () => {
    const raw = await connected({ token: await world.token('eve', 'viewer') })
    const filters = ['#', event, `skein/v1/${fleet}/reply/+/#`, '$SYS/#', `skein/v1/${fleet}/reply/eve/#`]
    raw.send({ cmd: 'subscribe', messageId: 3, subscriptions: filters.map((topic) => ({ topic, qos: 1 })) })
    const suback = await raw.next('suback')
    expect(suback.cmd === 'suback' && suback.granted).toEqual([128, 1, 128, 128, 1])
    bus().publish(event, 'hello')
    await raw.next('publish')
  })
  test('a kept session gives nothing to a token of other rights', async () => {
    const first = await connected({ token: await admin(), clientId: 'kept', clean: false })
    const desired = topicOf(fleet, 'deviceDesired', { device: '+' })
    first.send(subscribe(desired), subscribe(event, 2))
    await eventually(
      'first.received.filter((one) => one.cmd === "suback").length === 2',
      () => first.received.filter((one) => one.cmd === 'suback').length === 2,
    )
    first.close()
    const inside = bus()
    inside.publish(topicOf(fleet, 'deviceDesired', { device: 'd1' }), 'secret')
    inside.publish(event, 'open')
    const second = await connected({ token: await world.token('admin', 'viewer'), clientId: 'kept', clean: false })
    inside.publish(topicOf(fleet, 'deviceDesired', { device: 'd1' }), 'secret')
    inside.publish(event, 'end')
    const payloads = (): string[] => second.received.flatMap((one) => (one.cmd === 'publish' ? [String(one.payload)] : []))
    await eventually('payloads().includes("end")', () => payloads().includes('end'))
    expect(payloads()).not.toContain('secret')
  })
})

describe('limits', () => {
  test('a large packet is refused before login, by its announcement alone', async () => {
    const raw = await openRawMqtt(world.broker.addresses.mqtt.url)
    raws.push(raw)
    raw.sendBytes(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])) // CONNECT of 256 MB
    await raw.closed()
  })
  test('after login 200 KB pass, and 2 MB do not', async () => {
    const raw = await connected({ token: await admin() })
    raw.send(publish(request('admin'), 1, { payload: 'x'.repeat(200_000) }))
    await eventually('acknowledged(raw).includes(1)', () => acknowledged(raw).includes(1))
    raw.send(publish(request('admin'), 2, { payload: 'x'.repeat(2_000_000) }))
    await raw.closed()
    expect(acknowledged(raw)).toEqual([1])
  })
  test('a keepalive of none, or of an hour, is what a client may ask for', async () => {
    await connected({ token: await admin(), keepalive: 0 })
    await connected({ token: await admin(), keepalive: 3600 })
  })
})

describe('a held publish', () => {
  /** Holds every request until told what becomes of it. */
  const hold = async () => {
    const held: { topic: string; take: () => void; fail: () => void }[] = []
    const inside = bus()
    await inside.subscribe(
      requests,
      (message) =>
        new Promise<void>((resolve, reject) => {
          held.push({ topic: message.topic, take: resolve, fail: () => reject(new Error('no room')) })
        }),
      { hold: true },
    )
    return { inside, held }
  }
  const ping: Packet = { cmd: 'pingreq' }

  test('gets its PUBACK when the receiver has taken it, and reaches the receiver once', async () => {
    const { inside, held } = await hold()
    const raw = await connected({ token: await admin() })
    raw.send(publish(request('admin'), 5))
    await eventually('held.length === 1', () => held.length === 1)
    raw.send(ping) // answered while the publish waits
    await raw.next('pingresp')
    expect(acknowledged(raw)).toEqual([])
    held[0]?.take()
    await eventually('acknowledged(raw).includes(5)', () => acknowledged(raw).includes(5))
    // A message of this process comes after whatever Aedes would still have brought.
    inside.publish(request('admin'), 'own')
    await eventually('held.length === 2', () => held.length === 2)
    expect(held).toHaveLength(2)
  })

  test('that the receiver cannot take is not acknowledged, and the connection ends', async () => {
    const { held } = await hold()
    const raw = await connected({ token: await admin() })
    raw.send(publish(request('admin'), 1))
    await eventually('held.length === 1', () => held.length === 1)
    held[0]?.fail()
    await raw.closed()
    expect(acknowledged(raw)).toEqual([])
  })

  test('keeps no other client waiting', async () => {
    const { held } = await hold()
    const stuck = await connected({ token: await admin() })
    stuck.send(publish(request('admin'), 1))
    await eventually('held.length === 1', () => held.length === 1)
    const other = await connected({ token: await world.token('op', 'operator') })
    other.send(publish(request('op'), 9))
    await eventually('held.length === 2', () => held.length === 2)
    held[1]?.take()
    await eventually('acknowledged(other).includes(9)', () => acknowledged(other).includes(9))
    expect(acknowledged(stuck)).toEqual([])
    held[0]?.take()
    await eventually('acknowledged(stuck).includes(1)', () => acknowledged(stuck).includes(1))
  })

  test('pipelined ones of one client are held together, and acknowledged in order', async () => {
    const { held } = await hold()
    const raw = await connected({ token: await admin() })
    const ids = Array.from({ length: 200 }, (_, i) => i + 1)
    raw.send(...ids.map((id) => publish(request('admin'), id, { payload: 'x'.repeat(200) })))
    await eventually('held.length === 200', () => held.length === 200)
    expect(acknowledged(raw)).toEqual([])
    for (const one of held) one.take()
    await eventually('acknowledged(raw).length === 200', () => acknowledged(raw).length === 200)
    expect(acknowledged(raw)).toEqual(ids)
  })

  test('is refused when its receiver has gone: a PUBACK would promise what nobody keeps', async () => {
    const { inside } = await hold()
    await inside.close()
    const raw = await connected({ token: await admin() })
    raw.send(publish(request('admin'), 1))
    await raw.closed()
    expect(acknowledged(raw)).toEqual([])
  })

  const program = mosquittoPubProgram()
  test.skipIf(program === undefined)('mosquitto_pub -q 1 returns when the request has been taken, not before', async () => {
    const { held } = await hold()
    const port = String(world.broker.addresses.mqtt.port)
    const token = await admin()
    let exit: number | undefined
    let error = ''
    const child = execFile(
      program ?? 'mosquitto_pub',
      ['-h', '127.0.0.1', '-p', port, '-u', 'x', '-P', token, '-q', '1', '-t', request('admin'), '-m', '{"command":"true"}'],
      (_, __, stderr) => {
        error = stderr
      },
    )
    child.once('exit', (code) => {
      exit = code ?? -1
    })
    await eventually(`mosquitto_pub publishes; it says: ${error}`, () => held.length === 1)
    // It has published and waits: another client's whole round trip fits in between.
    const raw = await connected({ token })
    raw.send(ping)
    await raw.next('pingresp')
    expect(exit).toBeUndefined()
    held[0]?.take()
    expect(await eventually('exit !== undefined && { exit }', () => exit !== undefined && { exit })).toEqual({ exit: 0 })
  })
})

describe('startBroker()', () => {
  test('speaks TLS when it is given a certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-tls-'))
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const subject = ['-subj', '/CN=skein-test', '-addext', 'subjectAltName=IP:127.0.0.1']
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
    const tls = { port: 0, certFile: cert, keyFile: key }
    const secure = await startTestBroker({ listen: { bind: '127.0.0.1', mqttPort: 0, wsPort: 0, tls } })
    const url = secure.broker.addresses.mqtts?.url ?? ''
    const base = { url, clientId: '', password: await secure.token('admin', 'admin'), log: silentLog }
    const believer = startMqttBus({ ...base, ca: readFileSync(cert, 'utf8'), clock: systemClock, chance: systemChance })
    const doubter = startMqttBus({ ...base, clock: systemClock, chance: systemChance })
    await eventually('the client that knows the certificate', () => believer.isConnected())
    await eventually('the doubt of the other', () => doubter.lastError()?.includes('self-signed certificate'))
    for (const one of [believer, doubter, secure]) await one.close()
    rmSync(folder, { recursive: true })
  })

  test('with listenLater lets nobody in before listen()', async () => {
    const later = await startTestBroker({ listenLater: true })
    expect(() => later.broker.addresses).toThrow('does not listen yet')
    const addresses = await later.broker.listen()
    expect(addresses.mqtt.port).toBeGreaterThan(0)
    expect(later.broker.addresses).toEqual(addresses)
    await later.close()
  })

  test('on a port that is taken says which, and leaves nothing open', async () => {
    const taken = world.broker.addresses.mqtt.port
    await expect(startTestBroker({ listen: { bind: '127.0.0.1', mqttPort: 0, wsPort: taken } })).rejects.toThrow(
      `127.0.0.1:${taken}`,
    )
  })

  test('close() ends in bounded time with clients of every kind, twice', async () => {
    const silent = await openRawMqtt(world.broker.addresses.mqtt.url)
    raws.push(silent)
    const raw = await connected({ token: await admin() })
    const start = performance.now()
    await world.broker.close()
    await world.broker.close()
    expect(performance.now() - start).toBeLessThan(4000)
    await raw.closed()
    await silent.closed()
  })
})

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const withPayload = (jwt: string, change: Record<string, unknown>): string => {
  const [head, payload, signature] = jwt.split('.')
  const claims: unknown = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString())
  return [head, part({ ...(typeof claims === 'object' ? claims : {}), ...change }), signature].join('.')
}
const withHmac = (jwt: string, secret: string): string => {
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${jwt.split('.')[1]}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}
