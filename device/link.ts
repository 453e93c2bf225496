import { doublingMs } from '../base/backoff.ts'
import type { Bus, Message } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Timer } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { thumbprintOf } from '../base/p256.ts'
import {
  type Ack,
  type CommandBody,
  ControllerState,
  type DeviceState,
  type RunOrder,
  type Welcome,
} from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { sourceOf } from '../schemas/sources.ts'
import { filterOf, topicOf } from '../schemas/topics.ts'
import type { WorkloadQuestion, WorkloadRequest } from '../schemas/workload-requests.ts'
import { admit } from './admission.ts'
import { createAnswering, type Perform } from './answering.ts'
import { createHeartbeat } from './heartbeat.ts'
import { type HelloSources, helloOf } from './hello.ts'
import { createRefusals } from './refusals.ts'
import { createReleaseWire, type ReleaseKeeper } from './releases/wire.ts'
import { createReporting, type ReportedNow } from './reporting.ts'
import { createSender } from './sender.ts'
import type { Supervisor } from './supervisor.ts'
import { createTrust, type Pins } from './trust.ts'

export interface LinkDeps extends HelloSources {
  fleet: string
  device: string
  bus: Bus
  commits: GroupCommit
  chance: Chance
  log: Log
  /** Controller keys to believe before a welcome has named any. */
  pinned: () => Pins
  /** A new token has come, sealed to this device. */
  renewed?: (sealed: string) => void
  metrics: () => Record<string, unknown>
  /** Runs that a heartbeat names. */
  running: () => string[]
  /** Whether a run is to be ended by the device itself if it is given up. */
  wantsAnswer: () => boolean
  /** With the moment, on the monotonic clock, when the controller sent them. */
  orders: (runs: RunOrder[], sentMono: number) => void
  cancels: (runs: string[]) => void
  /** Somebody has answered what agents wait for. */
  answers: Supervisor['answers']
  unwanted: (runs: string[]) => void
  /** Something was acknowledged. */
  acknowledged: (stream: string) => void
  perform: Perform
  /** What is true now; null as long as there is nothing to report. */
  reported: () => ReportedNow | null
  releases?: ReleaseKeeper | undefined
}

const helloWithinMs = 3000

/**
 * The device's half of the exchange: says hello until it is welcomed, obeys what it may obey, and sends what the controller has
 * not acknowledged, again and again, until it has.
 */
export const createLink = (deps: LinkDeps) => {
  const { fleet, device, bus, journal, shelf, commits, clock, chance, log } = deps
  const trust = createTrust(journal, deps.pinned)
  const refusals = createRefusals(clock, (refusal) => {
    const topic = topicOf(fleet, 'request', { client: device, operation: 'device/refuse' })
    if (bus.isConnected()) bus.publish(topic, JSON.stringify({ input: refusal }), { qos: 1 })
  })
  /** Of the hello that is not answered yet, and of the one that was welcomed. */
  let nonce: string | null = null
  let welcomedNonce: string | null = null
  /** When the controller sent that welcome, by its own clock. */
  let welcomedAt = 0
  let welcomedEpoch: number | null = null
  /** It has said so, or its broker has. */
  let isControllerAway = false
  let helloTimer: Timer | undefined
  /** What was said in the last hello is not so any more: that it is welcome is not enough. */
  let isHelloOld = false
  let hellos = 0
  let helloMono = 0
  /** The controller's clock when `mono` was read. */
  let controllerTime: { at: number; mono: number } | null = null
  let isClosed = false
  let isLeaving = false

  const sender = createSender({ fleet, device, bus, journal, shelf, clock, boot: deps.boot, session: journal.session })
  const controllerNow = (): number => (controllerTime ? controllerTime.at + (clock.mono() - controllerTime.mono) : clock.now())

  const heartbeat = createHeartbeat({
    ...{ fleet, device, bus, clock, session: journal.session },
    ...{ running: deps.running, wantsAnswer: deps.wantsAnswer, metrics: deps.metrics, refuses: deps.refuses },
    clockOffsetMs: () => (controllerTime ? clock.now() - controllerNow() : null),
  })

  const answering = createAnswering({
    perform: deps.perform,
    send: (payload) => {
      if (!isClosed) bus.publish(topicOf(fleet, 'request', { client: device, operation: 'device/answer' }), payload, { qos: 1 })
    },
    log,
  })
  const reporting = createReporting({
    ...{ clock, controllerNow, journal: journal.id, reported: deps.reported },
    isConnected: () => !isClosed && bus.isConnected(),
    publish: (payload) => bus.publish(topicOf(fleet, 'deviceReported', { device }), payload, { qos: 1, retain: true }),
  })

  const wire = createReleaseWire({ fleet, device, bus, trust, refused: refusals.note, releases: deps.releases, log })

  const publishState = (state: DeviceState['state'], reason?: string): void => {
    const payload: DeviceState = { state, session: journal.session(), at: instant(clock.now()), ...(reason ? { reason } : {}) }
    bus.publish(topicOf(fleet, 'deviceState', { device }), JSON.stringify(payload), { qos: 1, retain: true })
  }

  const sayHello = (): void => {
    helloTimer?.cancel()
    if (isClosed || isLeaving || !bus.isConnected()) return
    nonce = chance.ulid(clock.now())
    isHelloOld = false
    const hello = helloOf(deps, nonce, trust.kids())
    publishState('online')
    const { labels, capacity, version } = hello
    bus.publish(
      topicOf(fleet, 'deviceInfo', { device }),
      JSON.stringify({ labels, capacity, version, capabilities: deps.capabilities() }),
      { qos: 1, retain: true },
    )
    helloMono = clock.mono()
    bus.publish(topicOf(fleet, 'deviceHello', { device }), JSON.stringify(hello), { qos: 1 })
    helloTimer = clock.after(doublingMs(hellos++, 10_000, 60_000), sayHello)
  }

  /** Not all at once when a controller comes back. */
  const sayHelloSoon = (): void => {
    helloTimer?.cancel()
    helloTimer = clock.after(Math.round(chance.random() * helloWithinMs), sayHello)
  }

  const command = (message: Message): void => {
    const verb = message.topic.slice(message.topic.lastIndexOf('/') + 1)
    const admission = admit(
      { verb, retained: message.retained, payload: readJson(message.payload) },
      {
        fleet,
        device,
        epoch: journal.epoch(),
        controllerNow: welcomedEpoch === null ? null : controllerNow(),
        nonce: welcomedEpoch === null ? null : welcomedNonce,
        keyFor: trust.keyFor,
        wasSeen: (id, expiresAt) => trust.wasSeen(id, expiresAt, controllerNow()),
      },
    )
    if (!admission.ok) {
      // Sent after our welcome, but for another hello: the two disagree about which one holds, and a new one settles it.
      if (welcomedEpoch !== null && nonce === null && (admission.issuedAt ?? 0) > welcomedAt) sayHelloSoon()
      if (admission.reason === 'seen') return // QoS 1 delivers twice, and that is no news
      log.warn({ verb, reason: admission.reason }, 'command not obeyed')
      refusals.note({ verb, reason: admission.reason })
      return
    }
    const { command } = admission
    if (command.verb === 'welcome') return welcome(command.body, command.epoch, command.issuedAt)
    if (command.verb === 'ack' && command.body.hello) sayHelloSoon()
    if (welcomedEpoch === null) return
    switch (command.verb) {
      case 'ack':
        return acknowledge(command.body)
      case 'run':
        return deps.orders(command.body.runs, clock.mono() - Math.max(0, controllerNow() - command.issuedAt))
      case 'cancel':
        return deps.cancels(command.body.runs)
      case 'answer':
        return deps.answers(command.body.answers)
      case 'start':
      case 'stop':
      case 'restart':
      case 'reload':
      case 'logs':
      case 'history':
      case 'shell':
      case 'say':
        return ask(command.verb, command.body)
    }
  }

  const ask = <R extends WorkloadRequest>(verb: R, { request, ...input }: CommandBody<R>): void => {
    // The body of such a command is what is asked by the request of the same name, and `request`.
    void answering.asked(request, verb, input as unknown as WorkloadQuestion<R>)
  }

  const moveOn = (stream: string, seq: number): void => {
    const source = sourceOf(stream)
    if (source === undefined) journal.acknowledge(stream, seq)
    else shelf.acknowledge(source, seq)
  }

  const welcome = (body: Welcome, epoch: number, issuedAt: number): void => {
    if (body.nonce !== nonce) return
    nonce = null
    hellos = 0
    helloTimer?.cancel()
    if (isHelloOld) sayHelloSoon()
    welcomedEpoch = epoch
    isControllerAway = false
    welcomedNonce = body.nonce
    trust.learn(body.keys ?? [])
    welcomedAt = issuedAt
    // Read half-way between the hello and its answer, as well as can be known.
    controllerTime = { at: Date.parse(body.at), mono: clock.mono() - Math.floor((clock.mono() - helloMono) / 2) }
    commits
      .run(() => {
        if (epoch > journal.epoch()) journal.setEpoch(epoch, body.proof)
        if (body.keys) journal.setControllerKeys(body.keys.map(thumbprintOf), trust.pinnedBy())
        journal.setHeardMono(clock.mono())
        for (const [stream, seq] of Object.entries(body.cursors)) moveOn(stream, seq)
      })
      .then(() => {
        trust.refresh()
        for (const stream of Object.keys(body.cursors)) deps.acknowledged(stream)
        if (body.token !== undefined) deps.renewed?.(body.token)
        deps.cancels(body.cancels)
        deps.unwanted(body.unwanted)
        sender.startAnew()
        reporting.welcomed()
        wire.welcomed()
        heartbeat.beatEvery(body.heartbeat_seconds * 1000)
        log.info({ epoch }, 'device is ready')
      })
      .catch((error: unknown) => {
        log.error({ err: error }, 'cannot store the welcome; saying hello again')
        welcomedEpoch = null
        helloTimer = clock.after(10_000, sayHello)
      })
  }

  const acknowledge = (body: Ack): void => {
    if (body.journal !== journal.id) return
    const streams = Object.keys(body.cursors)
    commits
      .run(() => {
        for (const [stream, seq] of Object.entries(body.cursors)) moveOn(stream, seq)
        if (body.heard_mono_ms !== undefined && body.heard_mono_ms <= clock.mono()) {
          journal.setHeardMono(Math.max(journal.heardMono(), body.heard_mono_ms))
        }
      })
      .then(() => {
        sender.acknowledged(streams, body.again ?? [])
        for (const stream of streams) deps.acknowledged(stream)
        if (body.wanted) sender.wanted(body.wanted)
      })
      .catch((error: unknown) => log.error({ err: error }, 'cannot store an acknowledgement'))
  }

  const connected = (): void => {
    welcomedEpoch = null
    hellos = 0
    trust.refresh()
    sender.pause()
    sayHello()
    wire.connected()
  }

  const controllerSays = (message: Message): void => {
    const read = ControllerState.safeParse(readJson(message.payload))
    if (!read.success) return
    const { state, epoch } = read.data
    // The last word of an earlier one may come late.
    if (state === 'online' || epoch >= (welcomedEpoch ?? 0)) isControllerAway = state === 'offline'
    if (state !== 'online') return
    if (welcomedEpoch !== null && epoch > welcomedEpoch) sayHelloSoon()
    // Before the first welcome: the hello may have gone out when nobody listened.
    if (welcomedEpoch === null && !message.retained) sayHelloSoon()
  }

  return {
    start: async (): Promise<void> => {
      await Promise.all([
        bus.subscribe(filterOf(fleet, 'deviceCommand', { device }), command),
        bus.subscribe(filterOf(fleet, 'controllerState'), controllerSays),
        wire.subscribe(() => welcomedEpoch !== null),
      ])
      bus.onConnect(connected)
      bus.onDisconnect(() => {
        welcomedEpoch = null
        sender.pause()
      })
    },
    /** Takes no more work: the controller is told now, and results still go out. */
    leave: (): void => {
      isLeaving = true
      publishState('offline', 'shutting down')
    },
    /** Something may not have been taken in: the controller is to say again what it wants. */
    startOver: (): void => {
      isHelloOld = true
      sayHelloSoon()
    },
    /** New records are in the journal. */
    wake: (): void => sender.pump(),
    /** Sends a part of a workload's log to whoever follows it; false while the connection does not keep up. */
    show: sender.show,
    /** What `reported` gives has changed: it is told at once, or with what else changes within a second. */
    reportedChanged: reporting.changed,
    /** The same for what somebody waits for: it is told at once. */
    tellReported: reporting.tell,
    /** The way that bundles come. */
    blobs: wire.line,
    /** What is told in a heartbeat is different. */
    beat: heartbeat.beat,
    controllerNow,
    /** What the controller's clock shows; null while it has not said so. */
    controllerTime: (): number | null => (controllerTime ? controllerNow() : null),
    /** Thumbprints of the controller keys that are believed. */
    trusted: trust.kids,
    isWelcomed: (): boolean => welcomedEpoch !== null,
    /** Whether the controller hears this device, as far as can be known. */
    isReached: (): boolean => welcomedEpoch !== null && !isControllerAway && bus.isConnected(),
    status: () => ({
      connected: bus.isConnected(),
      welcomed: welcomedEpoch !== null,
      epoch: journal.epoch(),
      session: journal.session(),
    }),
    /** Whether acknowledgements come: if not, holding back the programs would not help. */
    isFlowing: (): boolean => welcomedEpoch !== null && sender.isFlowing(),
    close: (reason: string): void => {
      if (isClosed) return
      publishState('offline', reason)
      isClosed = true
      helloTimer?.cancel()
      heartbeat.close()
      reporting.close()
      sender.pause()
    },
    /** The daemon is gone without a word, as after kill -9. */
    abandon: (): void => {
      isClosed = true
      helloTimer?.cancel()
      heartbeat.close()
      reporting.close()
      sender.pause()
    },
  }
}
export type Link = ReturnType<typeof createLink>

const readJson = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return undefined // refused by the schema, and logged there
  }
}
