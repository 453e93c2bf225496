import { randomUUID } from 'node:crypto'
import { connectAsync } from 'mqtt'
import { eventsOf } from '../../schemas/sources.ts'
import { topicOf } from '../../schemas/topics.ts'
import { eventually } from './eventually.ts'
import type { Installation } from './installation.ts'

type Fields = Readonly<Record<string, unknown>>
type Order = { run: string; task: string }
type Line = readonly [at: number, stream: string, text: unknown]

const fleetName = 'default'

/**
 * A device that says whatever a test wants to be said, by its own token: it is welcomed as any other, takes orders, and runs nothing.
 * Nothing that it says is repeated.
 */
export const playDevice = async (fleet: Installation, name: string, hello: Fields = {}) => {
  const client = await connectAsync(fleet.endpoints.mqtt, {
    ...{ clientId: `${fleetName}-${name}`, username: name, password: await fleet.tokenFor(name, 'device'), reconnectPeriod: 0 },
  })
  const journal = randomUUID()
  const boot = randomUUID()
  const session = 1
  const orders: Order[] = []
  const seqs = new Map<string, number>()
  let isWelcome = false
  const now = (): string => new Date().toISOString()
  const next = (stream: string): number => {
    const seq = (seqs.get(stream) ?? 0) + 1
    seqs.set(stream, seq)
    return seq
  }
  const say = async (topic: string, what: Fields, retain = false): Promise<void> => {
    await client.publishAsync(topic, JSON.stringify(what), { qos: 1, retain })
  }
  const device = { device: name }

  client.on('message', (topic, payload) => {
    const verb = topic.split('/').at(-1)
    const { payload: carried } = JSON.parse(payload.toString())
    const { body } = JSON.parse(Buffer.from(carried, 'base64url').toString())
    if (verb === 'welcome') isWelcome = true
    if (verb === 'run') orders.push(...body.runs)
  })
  await client.subscribeAsync(topicOf(fleetName, 'deviceCommand', { device: name, verb: '+' }), { qos: 1 })
  await say(topicOf(fleetName, 'deviceState', device), { state: 'online', session, at: now() }, true)
  const facts = { labels: { os: 'linux' }, capacity: 8, version: '0.1.0', ...hello }
  await say(topicOf(fleetName, 'deviceInfo', device), facts, true)
  await say(topicOf(fleetName, 'deviceHello', device), {
    ...{ session, journal, nonce: randomUUID(), epoch: 0, revision: 0, boot, mono_ms: performance.now(), at: now() },
    ...{ streams: {}, runs: [], ...facts },
  })
  await eventually(`${name} is welcomed`, () => isWelcome)

  /** A part of a log, or of what an agent does. */
  const records = (source: string, list: readonly Line[]): Fields => {
    const made = list.map(([at, kind, text]) => [next(source), at, kind, text])
    return {
      ...{ journal, source, first: made[0]?.[0], last: made.at(-1)?.[0], lines: made.length, bytes: 100 * made.length },
      records: made,
    }
  }

  return {
    /** The order to run a task, as soon as it has come. */
    order: (task: string): Promise<Order> =>
      eventually(`${name} is to run ${task}`, () => orders.find((one) => one.task === task)),
    /** A change of a run. */
    run: ({ run, task }: Order, change: Fields): Promise<void> =>
      say(topicOf(fleetName, 'deviceRun', device), {
        ...{ journal, session, boot, mono_ms: performance.now() },
        changes: [{ seq: next('runs'), run, task, at: now(), ...change }],
      }),
    log: ({ run }: Order, list: readonly Line[]): Promise<void> =>
      say(topicOf(fleetName, 'deviceLog', { ...device, source: run }), records(run, list)),
    agent: ({ run }: Order, events: readonly Fields[], at = Date.now()): Promise<void> => {
      const list = events.map((event) => [at, 'a', event] as const)
      return say(topicOf(fleetName, 'deviceAgent', { ...device, run }), records(eventsOf(run), list))
    },
    /** How far the log of a run goes. */
    logOf: ({ run }: Order): Fields => {
      const seq = seqs.get(run) ?? 0
      return { last_seq: seq, lines: seq, bytes: 100 * seq, dropped_lines: 0, dropped_bytes: 0 }
    },
    workloads: (workloads: readonly Fields[]): Promise<void> =>
      say(
        topicOf(fleetName, 'deviceReported', device),
        { journal, seq: next('reported'), at: now(), revision: 0, workloads },
        true,
      ),
    beat: (more: Fields = {}): Promise<void> =>
      say(topicOf(fleetName, 'deviceHeartbeat', device), {
        session,
        at: now(),
        mono_ms: performance.now(),
        running: [],
        ...more,
      }),
    close: (): Promise<void> => client.endAsync(true),
  }
}
export type PlayedDevice = Awaited<ReturnType<typeof playDevice>>
