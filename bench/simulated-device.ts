import { type KeyObject, randomUUID } from 'node:crypto'
import { fullJitterMs } from '../base/backoff.ts'
import { readJws } from '../base/jws.ts'
import type { Desired } from '../schemas/desired.ts'
import type { Command } from '../schemas/exchange.ts'
import { topicOf } from '../schemas/topics.ts'
import { type MqttClient, openMqttClient } from './mqtt-client.ts'
import { simulateReleases } from './simulated-releases.ts'

export interface SimulatedDeviceOptions {
  url: string
  name: string
  token: string
  capacity: number
  labels?: Readonly<Record<string, string>>
  /** Each time that it is welcomed. */
  onWelcome?(): void
  /** When it has lost its connection or could not make one: how long it waits before it tries again. */
  onWait?(waitMs: number): void
}

interface Order {
  run: string
  task: string
}

interface Change {
  seq: number
  run: string
  task: string
  state: string
  at: string
  exit_code: number
}

/** What stands in the bodies of the commands that it knows. */
interface Body {
  heartbeat_seconds: number
  journal: string
  cursors: Record<string, number>
  hello?: boolean
  again?: string[]
  runs: Order[]
}

const fleet = 'default'

/**
 * A device as far as the wire can tell: hello, welcome, heartbeats, numbered reports that are repeated until they are acknowledged,
 * and the product's backoff. Each run has succeeded as soon as it is ordered.
 */
export const startSimulatedDevice = (options: SimulatedDeviceOptions): { close(): void } => {
  const { name } = options
  const journal = randomUUID()
  const boot = randomUUID()
  let session = 0
  let epoch = 0
  let seq = 0
  let attempt = 0
  let client: MqttClient | undefined
  let key: KeyObject | undefined
  let isClosed = false
  let isWelcome = false
  let unacknowledged: Change[] = []
  let fresh: Change[] = []
  let oldestSentAt = 0
  let heartbeatMs = 10_000
  let beating: NodeJS.Timeout | undefined
  const done = (): void => undefined

  const topics = {
    state: topicOf(fleet, 'deviceState', { device: name }),
    info: topicOf(fleet, 'deviceInfo', { device: name }),
    hello: topicOf(fleet, 'deviceHello', { device: name }),
    run: topicOf(fleet, 'deviceRun', { device: name }),
    heartbeat: topicOf(fleet, 'deviceHeartbeat', { device: name }),
    command: topicOf(fleet, 'deviceCommand', { device: name, verb: '' }),
    controller: topicOf(fleet, 'controllerState', {}),
    desired: topicOf(fleet, 'deviceDesired', { device: name }),
    fetch: topicOf(fleet, 'deviceFetch', { device: name }),
    reported: topicOf(fleet, 'deviceReported', { device: name }),
    blob: `skein/v1/${fleet}/device/${name}/blob/`,
  }
  const facts = { labels: { os: 'linux', ...options.labels }, capacity: options.capacity, version: 'bench' }
  const now = (): string => new Date().toISOString()

  const hello = (): void => {
    const known = { session, journal, nonce: randomUUID(), epoch: 0, revision: 0, boot, mono_ms: performance.now(), at: now() }
    client?.publish(topics.hello, JSON.stringify({ ...known, streams: { runs: seq }, runs: [], ...facts }), done)
  }

  const report = (changes: readonly Change[]): void => {
    oldestSentAt = performance.now()
    client?.publish(topics.run, JSON.stringify({ journal, session, boot, mono_ms: performance.now(), changes }), done)
  }

  const sendFresh = (): void => {
    const changes = fresh
    fresh = []
    if (isWelcome) report(changes)
  }

  const take = (order: Order): void => {
    if (fresh.length === 0) setImmediate(sendFresh)
    seq += 1
    const change = { seq, run: order.run, task: order.task, state: 'succeeded', at: now(), exit_code: 0 }
    fresh.push(change)
    unacknowledged.push(change)
  }

  /** What a device measures of its machine: as much text as a real one sends, and never the same twice. */
  const measured = () => ({
    cpu_percent: Math.round(Math.random() * 100),
    memory_used_mb: 400 + Math.round(Math.random() * 200),
    memory_total_mb: 1024,
    disk_used_mb: 8000 + Math.round(Math.random() * 100),
    disk_total_mb: 32_000,
    load: [0.5, 0.4, 0.3],
    temperature_celsius: 40 + Math.round(Math.random() * 20),
    uptime_seconds: Math.round(performance.now() / 1000),
    clock_offset_ms: 0,
  })

  const beat = (): void => {
    const running = { session, at: now(), mono_ms: performance.now(), running: [], metrics: measured() }
    if (isWelcome) client?.publish(topics.heartbeat, JSON.stringify(running))
    if (unacknowledged.length > 0 && performance.now() - oldestSentAt > 10_000) report(unacknowledged)
  }

  const command = (verb: string, payload: Buffer): void => {
    // As a device does: the signature is checked, with the key that the first welcome has brought.
    const signed = readJws(JSON.parse(payload.toString()), 'skein-command', (_, carried) => {
      key ??= carried
      return key
    })
    if (!signed.ok) throw new Error(`${name} was sent a command that it does not believe: ${signed.reason}`)
    const { body, epoch: from } = signed.payload as Command & { body: Body } // signed by our own controller
    if (from < epoch) return
    epoch = from
    switch (verb) {
      case 'welcome': {
        isWelcome = true
        attempt = 0
        clearInterval(beating)
        heartbeatMs = body.heartbeat_seconds * 1000
        // Devices do not beat in step.
        beating = setTimeout(() => {
          beat()
          beating = setInterval(beat, heartbeatMs)
        }, Math.random() * heartbeatMs)
        if (unacknowledged.length > 0) report(unacknowledged)
        return options.onWelcome?.()
      }
      case 'ack': {
        const upTo = body.journal === journal ? (body.cursors['runs'] ?? 0) : 0
        unacknowledged = unacknowledged.filter((change) => change.seq > upTo)
        if (body.hello) hello()
        if (body.again?.includes('runs')) report(unacknowledged)
        return
      }
      case 'run':
        if (isWelcome) for (const order of body.runs) take(order)
        return
    }
  }

  let reportedSeq = 0
  const releases = simulateReleases({
    fetch: (request) => client?.publish(topics.fetch, JSON.stringify(request), done),
    report: (revision, told) => {
      reportedSeq += 1
      const reported = { journal, seq: reportedSeq, at: now(), revision, workloads: [], releases: told }
      client?.publish(topics.reported, JSON.stringify(reported), done, true)
    },
  })

  const message = (topic: string, payload: Buffer): void => {
    if (topic === topics.desired) {
      const signed = readJws(JSON.parse(payload.toString()), 'skein-desired', (_, carried) => carried)
      if (!signed.ok) throw new Error(`${name} was told by nobody whom it believes what to run: ${signed.reason}`)
      return releases.desired(signed.payload as Desired) // signed by our own controller
    }
    if (topic.startsWith(topics.blob)) {
      const [sha256 = '', offset = ''] = topic.slice(topics.blob.length).split('/')
      return releases.piece(sha256, Number(offset), payload)
    }
    if (topic.startsWith(topics.command)) return command(topic.slice(topics.command.length), payload)
    if (topic !== topics.controller) return
    const state = JSON.parse(payload.toString())
    if (state.state === 'online' && isWelcome && state.epoch > epoch) {
      isWelcome = false
      setTimeout(hello, Math.random() * 3000)
    }
  }

  const connect = async (): Promise<void> => {
    session += 1
    isWelcome = false
    const stateOf = (state: string): string => JSON.stringify({ state, session, at: now() })
    try {
      client = await openMqttClient({
        url: options.url,
        clientId: `${fleet}-${name}`,
        token: options.token,
        keepalive: 120,
        will: { topic: topics.state, payload: stateOf('offline'), retain: true },
        onMessage: message,
        onClose: () => {
          if (client) again()
          client = undefined
        },
      })
    } catch {
      return again()
    }
    await client.subscribe([topics.desired, `${topics.command}+`, `${topics.blob}+/+`, topics.controller])
    client?.publish(topics.state, stateOf('online'), done, true)
    client?.publish(topics.info, JSON.stringify(facts), done, true)
    hello()
  }

  const again = (): void => {
    if (isClosed) return
    clearInterval(beating)
    const waitMs = fullJitterMs(attempt, Math.random(), 1000, 60_000)
    attempt += 1
    options.onWait?.(waitMs)
    setTimeout(() => void connect(), waitMs)
  }

  void connect()
  return {
    close: () => {
      isClosed = true
      clearInterval(beating)
      client?.end()
    },
  }
}
