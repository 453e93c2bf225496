import { describe, expect, test } from 'vitest'
import type { Bus, Message } from '../../base/bus.ts'
import { chanceFrom } from '../../base/chance.ts'
import { openDatabase } from '../../base/database.ts'
import { signerOf } from '../../base/jws.ts'
import { silentLog } from '../../base/log.ts'
import { jwkOf, newPrivateKey } from '../../base/p256.ts'
import { createDeviceCore, type WorkloadsPort } from '../../device/core.ts'
import { createJournal, journalMigrations } from '../../device/journal.ts'
import type { ReleaseKeeper } from '../../device/releases/wire.ts'
import type { Desired, ReportedRelease } from '../../schemas/desired.ts'
import { instant } from '../../schemas/ids.ts'
import { topicMatches, topicOf } from '../../schemas/topics.ts'
import { clockOf, createTime, randomFrom } from '../simulation/sim-clock.ts'
import { createMachine } from '../simulation/sim-machine.ts'
import { createSimSegments } from '../simulation/sim-segments.ts'

const at = (name: 'deviceDesired' | 'deviceHello' | 'deviceReported' | 'deviceFetch'): string =>
  topicOf('f', name, { device: 'd' })

/** A device as it is, but for its machine and its releases, on a wire of one. */
const startDevice = async ({ hasReleases = true } = {}) => {
  const keys = [newPrivateKey(), newPrivateKey()]
  const [first, second] = keys.map(signerOf)
  if (!first || !second) throw new Error('There are two')
  const life = { isDead: false, wallOffsetMs: 0 }
  const time = createTime()
  const random = randomFrom(3)
  const chance = chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)))
  const subscriptions: { filter: string; receive: (message: Message) => void | Promise<void> }[] = []
  const connects: (() => void)[] = []
  const disconnects: (() => void)[] = []
  const sent: { topic: string; body: Record<string, unknown> }[] = []
  let isUp = true
  const bus: Bus = {
    publish: (topic, payload) => void (isUp && sent.push({ topic, body: JSON.parse(Buffer.from(payload).toString()) })),
    subscribe: async (filter, receive) => void subscriptions.push({ filter, receive }),
    unsubscribe: () => {},
    isHeard: () => true,
    isConnected: () => isUp,
    onConnect: (call) => {
      connects.push(call)
      if (isUp) call()
    },
    onDisconnect: (call) => void disconnects.push(call),
    backlogBytes: () => 0,
    close: async () => {},
  }
  const state = {
    taken: [] as Desired[],
    blobs: [] as [string, number, string][],
    again: 0,
    seen: undefined as { revision: number; epoch: number } | undefined,
    reported: undefined as ReportedRelease[] | undefined,
  }
  const releases: ReleaseKeeper = {
    seen: () => state.seen,
    take: (desired) => {
      state.taken.push(desired)
      state.seen = desired
    },
    blob: (sha256, offset, bytes) => void state.blobs.push([sha256, offset, Buffer.from(bytes).toString()]),
    askAgain: () => void state.again++,
    reported: () => state.reported,
  }
  let port: WorkloadsPort | undefined
  const core = createDeviceCore({
    ...{
      name: 'd',
      fleet: 'f',
      bus,
      journal: createJournal(openDatabase(':memory:', journalMigrations)),
      boot: 'b',
      version: 't',
    },
    runner: createMachine(time, 'd').runnerFor(life),
    segments: createSimSegments(time.now).segments,
    ...{ clock: clockOf(time, life), chance, log: silentLog, labels: () => ({}), capacity: 1, metrics: () => ({}) },
    pinned: () => ({ by: 'token', kids: [first.kid] }),
    spoolBudget: () => 1e9,
    workloads: (given) => {
      port = given
      return {
        ...{ recover: () => new Set<string>(), statuses: () => [], answer: () => {}, work: () => undefined, release: () => {} },
        ...{ perform: async () => ({ ok: true, output: {} }) as const, shutdown: async () => {} },
        ...(hasReleases ? { releases } : {}),
      }
    },
  })
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) {
      while (time.step(time.now())) await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const deliver = async (topic: string, payload: string, retained = false): Promise<void> => {
    for (const one of subscriptions)
      if (topicMatches(one.filter, topic)) void one.receive({ topic, payload: Buffer.from(payload), retained })
    await settle()
  }
  const document = (over: Partial<Desired> = {}): Desired => ({
    ...{ fleet: 'f', device: 'd', revision: 7, epoch: 1, at: '2026-01-01T00:00:00.000Z', releases: [] },
    ...over,
  })
  const desire = (over: Partial<Desired> = {}, by = first, retained = true): Promise<void> =>
    deliver(
      at('deviceDesired'),
      JSON.stringify(by.sign('skein-desired', JSON.stringify(document(over)), { withKey: true })),
      retained,
    )
  const bodiesOf = (topic: string) => sent.filter((one) => one.topic === topic).map(({ body }) => body)
  const welcome = async (): Promise<void> => {
    const now = clockOf(time, life).now()
    const command = {
      ...{ fleet: 'f', device: 'd', verb: 'welcome', epoch: 1, nonce: null, id: `w${time.now()}${sent.length}` },
      ...{ issued_at: instant(now), expires_at: instant(now + 60_000) },
      body: {
        ...{
          nonce: bodiesOf(at('deviceHello')).at(-1)?.['nonce'],
          at: instant(now),
          cursors: {},
          wanted: [],
          unwanted: [],
          cancels: [],
        },
        ...{ heartbeat_seconds: 30, revision: 0, keys: keys.map(jwkOf) },
      },
    }
    await deliver(
      topicOf('f', 'deviceCommand', { device: 'd', verb: 'welcome' }),
      JSON.stringify(first.sign('skein-command', JSON.stringify(command), { withKey: true })),
    )
  }
  await core.start()
  await settle()
  return {
    ...{ core, state, sent, second, deliver, desire, welcome, settle, bodiesOf },
    port: (): WorkloadsPort => port ?? expect.fail('the core has not asked for workloads'),
    refusals: () => bodiesOf('skein/v1/f/request/d/device/refuse').map((body) => body['input']),
    connect: (is: boolean): void => {
      isUp = is
      for (const call of is ? connects : disconnects) call()
    },
  }
}

describe('the link', () => {
  test('has what is wanted obeyed as soon as it comes, kept by the broker or not, welcomed or not', async () => {
    const device = await startDevice()
    await device.desire()
    expect([device.state.taken.map(({ revision }) => revision), device.core.link.isWelcomed()]).toEqual([[7], false])
    await device.desire({ revision: 8 }, undefined, false)
    expect(device.state.taken.length).toBe(2)
    expect(device.refusals()).toEqual([])
  })

  test('tells why it does not obey', async () => {
    const device = await startDevice()
    await device.desire({ device: 'e' as Desired['device'] })
    await device.deliver(at('deviceDesired'), '{}')
    await device.desire({ revision: 9 })
    await device.desire({ revision: 8 })
    await device.deliver(at('deviceDesired'), '')
    expect(device.state.taken.map(({ revision }) => revision)).toEqual([9])
    expect(device.refusals()[0]).toEqual({ verb: 'desired', reason: 'foreign', count: 1 })
    expect(device.sent.filter(({ topic }) => topic.endsWith('/refuse')).length).toBe(1)
  })

  test('what was signed by a key that only the welcome introduces waits for that', async () => {
    const device = await startDevice()
    await device.desire({}, device.second)
    expect([device.state.taken, device.refusals()]).toEqual([[], []])
    await device.welcome()
    expect(device.state.taken.map(({ revision }) => revision)).toEqual([7])
    expect(device.refusals()).toEqual([])
  })

  test('what nobody believes is refused after the welcome', async () => {
    const device = await startDevice()
    await device.desire({}, signerOf(newPrivateKey()))
    await device.welcome()
    expect(device.refusals()).toEqual([{ verb: 'desired', reason: 'unknown_key', count: 1 }])
    await device.desire({ revision: 9 }, signerOf(newPrivateKey()))
    expect(device.state.taken).toEqual([])
  })

  test('a device without releases says so', async () => {
    const device = await startDevice({ hasReleases: false })
    await device.desire()
    expect(device.refusals()).toEqual([{ verb: 'desired', reason: 'not_supported', count: 1 }])
  })

  test('hands on pieces of bundles, asks for them, and has them asked for again by whoever can hear it anew', async () => {
    const device = await startDevice()
    const sha256 = 'a'.repeat(64)
    await device.deliver(topicOf('f', 'deviceBlob', { device: 'd', sha256, offset: '65536' }), 'bytes')
    await device.deliver(topicOf('f', 'deviceBlob', { device: 'd', sha256, offset: '-1' }), 'bytes')
    expect(device.state.blobs).toEqual([[sha256, 65_536, 'bytes']])
    device.port().blobs.ask({ sha256, offset: 0, length: 10 })
    expect(device.bodiesOf(at('deviceFetch'))).toEqual([{ sha256, offset: 0, length: 10 }])
    const { again } = device.state
    device.connect(false)
    expect(device.port().blobs.isOpen()).toBe(false)
    device.connect(true)
    await device.welcome()
    expect(device.state.again).toBe(again + 2)
  })

  test('tells how far it is: in each hello, in each report, and a verdict at once', async () => {
    const device = await startDevice()
    await device.welcome()
    expect(device.bodiesOf(at('deviceReported')).at(-1)).toMatchObject({ revision: 0 })
    expect(device.bodiesOf(at('deviceReported')).at(-1)).not.toHaveProperty('releases')
    await device.desire()
    device.state.reported = []
    const before = device.bodiesOf(at('deviceReported')).length
    device.port().changed()
    await device.settle()
    expect(device.bodiesOf(at('deviceReported')).length, 'soon, with what else changes').toBe(before)
    device.port().tellNow()
    expect(device.bodiesOf(at('deviceReported')).at(-1)).toMatchObject({ revision: 7, releases: [] })
    device.connect(false)
    device.connect(true)
    expect(device.bodiesOf(at('deviceHello')).at(-1)).toMatchObject({ revision: 7 })
  })

  test('knows whether the controller hears it: not before it is welcomed, nor once the controller has gone', async () => {
    const device = await startDevice()
    const says = (state: string, epoch: number): Promise<void> =>
      device.deliver(topicOf('f', 'controllerState', {}), JSON.stringify({ state, epoch, at: '2026-01-01T00:00:00.000Z' }))
    const { isReached } = device.port()
    expect(isReached()).toBe(false)
    await device.welcome()
    expect(isReached()).toBe(true)
    await says('offline', 0)
    expect(isReached(), 'the last word of an earlier one').toBe(true)
    await says('offline', 1)
    expect(isReached()).toBe(false)
    await says('online', 1)
    expect(isReached()).toBe(true)
    device.connect(false)
    expect(isReached()).toBe(false)
  })
})
