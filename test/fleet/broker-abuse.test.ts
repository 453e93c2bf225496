import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { announceHuge, floodStalled, residentMb, sayNothing, sendGarbage, startTalk, takeOver } from '../harness/broker-trials.ts'
import { type OpenBroker, startOpenBroker } from '../harness/open-broker.ts'
import { seeded, seedOf } from '../harness/seeded.ts'

/** The broker under abuse, in short; test/soak/broker.test.ts has it at length. */
let broker: OpenBroker
beforeAll(async () => {
  broker = await startOpenBroker()
})
afterEach(() => broker.closeClients())
afterAll(() => broker.close())

// First, while the broker's heap is small: what is resident grows here by what these connections cost, not by pages that V8 takes back.
test('40 connections that announce a huge packet before login cost less than 20 MB', async () => {
  expect(await announceHuge(broker, 40)).toBeLessThan(20)
})

test('10,000 random and mutated packets: it lives, its memory is bounded, and others talk on', async () => {
  const talk = await startTalk(broker)
  const chance = seeded(seedOf('garbage'))
  await sendGarbage(broker, chance, 2000)
  const held = await broker.heldMb()
  const warm = residentMb(broker.pid)
  await sendGarbage(broker, chance, 8000)
  const grown = residentMb(broker.pid) - warm
  const heldMore = (await broker.heldMb()) - held
  const { count, p99 } = await talk.end()
  console.info({ grownMb: Math.round(grown), heldMore, roundTrips: count, p99Ms: Math.round(p99) })
  expect(grown).toBeLessThan(60)
  expect(heldMore).toBeLessThan(8)
  expect(p99).toBeLessThan(1000)
})

test('2,000 connections that say nothing: normal clients get in, and those are closed', async () => {
  const { loginMs, closedAfterMs } = await sayNothing(broker, 2000)
  expect(loginMs).toBeLessThan(2000)
  expect(closedAfterMs).toBeLessThan(15_000)
})

test('500 takeovers of one client id leave one connection', async () => {
  expect(await takeOver(broker, 500)).toBe(1)
})

test('a subscriber that stops reading while it is sent 60 MB delays nobody, costs bounded memory, and is closed', async () => {
  const talk = await startTalk(broker)
  const grown = await floodStalled(broker, 60)
  const { count, p99 } = await talk.end()
  console.info({ grownMb: Math.round(grown), roundTrips: count, p99Ms: Math.round(p99) })
  expect(p99).toBeLessThan(1000)
  expect(grown).toBeLessThan(120)
})
