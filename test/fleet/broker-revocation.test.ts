import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pathsIn } from '../../base/paths.ts'
import type { RingKey } from '../../controller/identity/key-ring.ts'
import { openTokenKeys } from '../../controller/identity/token-keys.ts'
import { deviceClientId } from '../../schemas/client-ids.ts'
import { replyTopicOf, topicOf } from '../../schemas/topics.ts'
import { eventually } from '../harness/eventually.ts'
import { openRawMqtt, type RawConnect, type RawMqtt } from '../harness/raw-mqtt.ts'
import { startTestBroker, type TestBroker } from '../harness/test-broker.ts'

const fleet = 'default'
const event = topicOf(fleet, 'event', { kind: 'task' })
let folder: string
let world: TestBroker
let raws: RawMqtt[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-revoked-'))
  world = await startTestBroker({ tokenTrustFile: join(folder, 'broker', 'tokens.json') })
})
afterEach(async () => {
  for (const raw of raws) raw.close()
  raws = []
  await world.close()
  rmSync(folder, { recursive: true, force: true })
})

const connecting = async (how: RawConnect): Promise<{ raw: RawMqtt; code: number | undefined }> => {
  const raw = await openRawMqtt(world.broker.addresses.mqtt.url, how)
  raws.push(raw)
  const connack = await raw.next('connack')
  return { raw, code: connack.cmd === 'connack' ? connack.returnCode : undefined }
}
const connected = async (how: RawConnect): Promise<RawMqtt> => {
  const { raw, code } = await connecting(how)
  expect(code).toBe(0)
  return raw
}
const listOf = (
  revoked: readonly string[],
  more: { at?: string; fleet?: string } = {},
  key: RingKey = world.keys.oldest(),
): string =>
  JSON.stringify(key.sign('skein-revoked', JSON.stringify({ fleet, at: '2026-01-02T00:00:00.000Z', revoked, ...more })))
const tell = (list: string): void => world.broker.bus().publish(topicOf(fleet, 'controllerRevoked', {}), list, { retain: true })
/** The id that the broker of the harness gives to the n-th token that it makes. */
const eve = 'eve-1'
const granted = async (raw: RawMqtt, filter: string): Promise<unknown> => {
  const from = raw.received.length
  raw.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] })
  const suback = await raw.next('suback', from)
  return suback.cmd === 'suback' && suback.granted[0]
}
const payloads = (raw: RawMqtt): string[] =>
  raw.received.flatMap((one) => (one.cmd === 'publish' ? [one.payload.toString()] : []))

describe('a revoked token', () => {
  test('ends its live connection at once and no other, and is refused with 5', async () => {
    const token = await world.token('eve', 'viewer')
    const live = await connected({ token })
    const other = await connected({ token: await world.token('eve', 'viewer') })
    const start = performance.now()
    tell(listOf([eve]))
    await live.closed()
    expect(performance.now() - start).toBeLessThan(2000)
    expect((await connecting({ token })).code).toBe(5)
    other.send({ cmd: 'pingreq' })
    await other.next('pingresp')
  })

  test('also when its list comes from a controller on the wire', async () => {
    const token = await world.token('eve', 'viewer')
    const live = await connected({ token })
    const controller = await connected({ token: await world.token('controller', 'controller') })
    controller.send({
      ...{ cmd: 'publish', topic: topicOf(fleet, 'controllerRevoked', {}), payload: listOf([eve]) },
      ...{ qos: 1, retain: true, dup: false, messageId: 1 },
    })
    await live.closed()
  })

  test('what waited in its kept session reaches nobody, not even its subject with a new token', async () => {
    const token = await world.token('eve', 'viewer')
    const first = await connected({ token, clientId: 'desk', clean: false })
    expect(await granted(first, event)).toBe(1)
    first.close()
    await eventually('it has gone', () => world.broker.stats().sessionsKept === 1)
    world.broker.bus().publish(event, 'secret')
    tell(listOf([eve]))
    await eventually('the session has ended', () => world.broker.stats().sessionsKept === 0)
    const second = await connected({ token: await world.token('eve', 'viewer'), clientId: 'desk', clean: false })
    expect(second.received[0]).toMatchObject({ sessionPresent: false })
    expect(await granted(second, event)).toBe(1)
    world.broker.bus().publish(event, 'later')
    await eventually('what comes later', () => payloads(second).length > 0)
    expect(payloads(second)).toEqual(['later'])
  })

  test('is the end of its will too: nobody hears it, and nothing of it is retained', async () => {
    const submit = topicOf(fleet, 'request', { client: 'eve', operation: 'task/submit' })
    const state = topicOf(fleet, 'deviceState', { device: 'eve' })
    const heard: string[] = []
    await world.broker.bus().subscribe('#', ({ topic, payload }) => void heard.push(`${topic} ${Buffer.from(payload)}`))
    const asks = await connected({ token: await world.token('eve', 'operator'), will: { topic: submit, retain: false } })
    const device = await connected({ token: await world.token('eve', 'device'), will: { topic: state, retain: true } })
    // Of the same subject, and it holds: what the others leave behind must not count as its word.
    const other = await connected({
      token: await world.token('eve', 'operator'),
      will: { topic: submit, retain: false, payload: 'mine' },
    })
    tell(listOf(['eve-1', 'eve-2']))
    await asks.closed()
    await device.closed()
    other.close()
    await eventually('a will that holds', () => heard.includes(`${submit} mine`))
    expect(heard.filter((one) => one.startsWith(submit) || one.startsWith(state))).toEqual([`${submit} mine`])
    expect(world.broker.stats().retainedMessages).toBe(1) // the list of revoked tokens
  })

  test('stays refused after a restart of the broker, which has heard no controller yet', async () => {
    const token = await world.token('eve', 'viewer')
    const live = await connected({ token })
    const list = listOf([eve])
    tell(list)
    await live.closed()
    const { keys } = world
    await world.broker.close()
    const again = await startTestBroker({
      tokenTrustFile: join(folder, 'broker', 'tokens.json'),
      publicKeysPem: keys.publicKeysPem(),
    })
    const raw = await openRawMqtt(again.broker.addresses.mqtt.url, { token })
    raws.push(raw)
    expect(await raw.next('connack')).toMatchObject({ returnCode: 5 })
    // A controller that was restored learns by it how new its lists have to be.
    const seen: unknown[] = []
    await again.broker.bus().subscribe(topicOf(fleet, 'controllerRevoked', {}), ({ payload, retained }) => {
      seen.push([Buffer.from(payload).toString(), retained])
    })
    expect(seen).toEqual([[list, true]])
    await again.close()
  })

  test.each<[string, () => Promise<string> | string]>([
    ['signed by another key', async () => listOf([eve], {}, openTokenKeys(pathsIn(join(folder, 'other'))).newest())],
    ['of another fleet', () => listOf([eve], { fleet: 'other' })],
    ['older than one that was taken', () => listOf([eve], { at: '2026-01-01T00:00:00.000Z' })],
    ['that is no list', () => '{}'],
    ['that is no JSON', () => 'x'],
  ])('a list %s changes nothing', async (_, list) => {
    const token = await world.token('eve', 'viewer')
    const live = await connected({ token })
    const witness = await connected({ token: await world.token('mallory', 'viewer') })
    tell(listOf([])) // of the moment that the others are measured by
    tell(await list())
    tell(listOf(['mallory-2'])) // of the same moment again: it is taken, and behind the others
    await witness.closed()
    expect(live.isClosed()).toBe(false)
    expect((await connecting({ token })).code).toBe(0)
  })

  test('that is on no newer list is let in again', async () => {
    const token = await world.token('eve', 'viewer')
    const live = await connected({ token })
    tell(listOf([eve]))
    await live.closed()
    tell(listOf([], { at: '2026-01-03T00:00:00.000Z' }))
    await eventually('it is let in', async () => (await connecting({ token })).code === 0)
  })
})

describe('an expired token of a device', () => {
  const past = { now: Date.now() - 3_600_000, ttlSeconds: 60 }
  const renewing = topicOf(fleet, 'request', { client: 'd1', operation: 'device/renew' })

  test('lets it ask for a new one and hear the answer', async () => {
    const raw = await connected({ token: await world.token('d1', 'device', past) })
    expect(await granted(raw, replyTopicOf(fleet, 'd1'))).toBe(1)
    expect(await granted(raw, `${replyTopicOf(fleet, 'd1')}/#`)).toBe(1)
    raw.send({ cmd: 'publish', topic: renewing, payload: '{}', qos: 1, retain: false, dup: false, messageId: 3 })
    await raw.next('puback')
    world.broker.bus().publish(`${replyTopicOf(fleet, 'd1')}/x`, 'sealed')
    await eventually('the answer', () => payloads(raw).includes('sealed'))
  })

  test.each([
    topicOf(fleet, 'deviceState', { device: 'd1' }),
    topicOf(fleet, 'deviceRun', { device: 'd1' }),
    topicOf(fleet, 'request', { client: 'd1', operation: 'device/list' }),
    topicOf(fleet, 'request', { client: 'd2', operation: 'device/renew' }),
    topicOf(fleet, 'request', { client: 'd1', operation: 'device/renew/x' }),
  ])('gives no right to publish to %s', async (topic) => {
    const raw = await connected({ token: await world.token('d1', 'device', past) })
    raw.send({ cmd: 'publish', topic, payload: '{}', qos: 1, retain: false, dup: false, messageId: 3 })
    await raw.closed()
    expect(raw.received.map((one) => one.cmd)).toEqual(['connack'])
  })

  test('gives nothing retained, no other filter, no will, no reserved client id', async () => {
    const token = await world.token('d1', 'device', past)
    const raw = await connected({ token })
    for (const filter of ['#', topicOf(fleet, 'deviceCommand', { device: 'd1', verb: '+' }), `${replyTopicOf(fleet, 'd2')}/#`])
      expect(await granted(raw, filter)).toBe(128)
    raw.send({ cmd: 'publish', topic: renewing, payload: '{}', qos: 1, retain: true, dup: false, messageId: 3 })
    await raw.closed()
    expect(
      (await connecting({ token, will: { topic: topicOf(fleet, 'deviceState', { device: 'd1' }), retain: true } })).code,
    ).toBe(5)
    expect((await connecting({ token, clientId: deviceClientId(fleet, 'd1') })).code).toBe(2)
  })

  test('lets nobody else in: no other role, not when it was revoked, not when it was changed', async () => {
    for (const role of ['admin', 'operator', 'viewer', 'join', 'controller'] as const)
      expect((await connecting({ token: await world.token('me', role, past) })).code).toBe(4)
    const token = await world.token('d9', 'device', past)
    expect((await connecting({ token: `${token.slice(0, -6)}AAAAAA` })).code).toBe(4)
    const live = await connected({ token })
    tell(listOf(['d9-6']))
    await live.closed()
    expect((await connecting({ token })).code).toBe(5)
  })
})
