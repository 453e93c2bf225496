import { doublingMs } from '../base/backoff.ts'
import type { Bus, Message } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { type Ack, ControllerState, type DeviceState, type Hello, type RunOrder, type Welcome } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { filterOf, topicOf } from '../schemas/topics.ts'
import { admit } from './admission.ts'
import type { Journal } from './journal.ts'
import { createSender } from './sender.ts'

export interface LinkDeps {
  fleet: string
  device: string
  bus: Bus
  journal: Journal
  commits: GroupCommit
  clock: Clock
  chance: Chance
  log: Log
  boot: string
  version: string
  labels: () => Record<string, string>
  capacity: number
  metrics: () => Record<string, unknown>
  /** Runs that a heartbeat names. */
  running: () => string[]
  /** Whether a run is to be ended by the device itself if it is given up. */
  wantsAnswer: () => boolean
  /** With the moment, on the monotonic clock, when the controller sent them. */
  orders: (runs: RunOrder[], sentMono: number) => void
  cancels: (runs: string[]) => void
  unwanted: (runs: string[]) => void
  /** Something was acknowledged. */
  acknowledged: (stream: string) => void
}

const helloWithinMs = 3000
const rememberedIds = 4096

/**
 * The device's half of the exchange: says hello until it is welcomed, obeys what it may obey, and sends what the controller has
 * not acknowledged, again and again, until it has.
 */
export const createLink = (deps: LinkDeps) => {
  const { fleet, device, bus, journal, commits, clock, chance, log } = deps
  const seen = new Set<string>()
  let nonce: string | null = null
  let welcomedEpoch: number | null = null
  let helloTimer: Timer | undefined
  let hellos = 0
  let helloMono = 0
  let beatTimer: Timer | undefined
  let heartbeatMs = 30_000
  /** The controller's clock when `mono` was read. */
  let controllerTime: { at: number; mono: number } | null = null
  let isClosed = false
  let isLeaving = false

  const sender = createSender({ fleet, device, bus, journal, clock, boot: deps.boot, session: journal.session })
  const controllerNow = (): number => (controllerTime ? controllerTime.at + (clock.mono() - controllerTime.mono) : clock.now())

  const publishState = (state: DeviceState['state'], reason?: string): void => {
    const payload: DeviceState = { state, session: journal.session(), at: instant(clock.now()), ...(reason ? { reason } : {}) }
    bus.publish(topicOf(fleet, 'deviceState', { device }), JSON.stringify(payload), { qos: 1, retain: true })
  }

  const sayHello = (): void => {
    helloTimer?.cancel()
    if (isClosed || isLeaving || !bus.isConnected()) return
    nonce = chance.ulid(clock.now())
    const streams: Record<string, number> = {}
    for (const one of journal.openStreams().slice(0, 500)) streams[one.name] = one.last
    const labels = deps.labels()
    const hello: Hello = {
      session: journal.session(),
      journal: journal.id,
      nonce,
      epoch: journal.epoch(),
      revision: 0,
      boot: deps.boot,
      mono_ms: clock.mono(),
      at: instant(clock.now()),
      streams,
      runs: journal
        .openRuns()
        .map((run) => ({ run: run.run_id, ...(run.task_id ? { task: run.task_id } : {}), state: run.state })),
      labels,
      capacity: deps.capacity,
      version: deps.version,
    }
    publishState('online')
    const info = { labels, capacity: deps.capacity, version: deps.version }
    bus.publish(topicOf(fleet, 'deviceInfo', { device }), JSON.stringify(info), { qos: 1, retain: true })
    helloMono = clock.mono()
    bus.publish(topicOf(fleet, 'deviceHello', { device }), JSON.stringify(hello), { qos: 1 })
    helloTimer = clock.after(doublingMs(hellos++, 10_000, 60_000), sayHello)
  }

  /** Not all at once when a controller comes back. */
  const sayHelloSoon = (): void => {
    helloTimer?.cancel()
    helloTimer = clock.after(Math.round(chance.random() * helloWithinMs), sayHello)
  }

  const beat = (): void => {
    beatTimer?.cancel()
    if (isClosed) return
    beatTimer = clock.after(heartbeatMs, beat)
    if (!bus.isConnected()) return
    const heartbeat = {
      session: journal.session(),
      at: instant(clock.now()),
      mono_ms: clock.mono(),
      running: deps.running(),
      ...(deps.wantsAnswer() ? { answer: true } : {}),
      metrics: { ...deps.metrics(), clock_offset_ms: controllerTime ? clock.now() - controllerNow() : null },
    }
    bus.publish(topicOf(fleet, 'deviceHeartbeat', { device }), JSON.stringify(heartbeat), { qos: 0 })
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
        wasSeen: (id) => {
          if (seen.has(id)) return true
          seen.add(id)
          if (seen.size > rememberedIds) for (const first of seen) return !seen.delete(first)
          return false
        },
      },
    )
    if (!admission.ok) {
      if (admission.reason !== 'seen') log.warn({ verb, reason: admission.reason }, 'command not obeyed')
      return
    }
    const { command } = admission
    if (command.verb === 'welcome') return welcome(command.body, command.epoch)
    if (command.verb === 'ack' && command.body.hello) sayHelloSoon()
    if (welcomedEpoch === null) return
    switch (command.verb) {
      case 'ack':
        return acknowledge(command.body)
      case 'run':
        return deps.orders(command.body.runs, clock.mono() - Math.max(0, controllerNow() - command.issuedAt))
      case 'cancel':
        return deps.cancels(command.body.runs)
    }
  }

  const welcome = (body: Welcome, epoch: number): void => {
    if (body.nonce !== nonce) return
    nonce = null
    hellos = 0
    helloTimer?.cancel()
    welcomedEpoch = epoch
    // Read half-way between the hello and its answer, as well as can be known.
    controllerTime = { at: Date.parse(body.at), mono: clock.mono() - Math.floor((clock.mono() - helloMono) / 2) }
    heartbeatMs = body.heartbeat_seconds * 1000
    commits
      .run(() => {
        if (epoch > journal.epoch()) journal.setEpoch(epoch)
        journal.setHeardMono(clock.mono())
        for (const [stream, seq] of Object.entries(body.cursors)) journal.acknowledge(stream, seq)
      })
      .then(() => {
        for (const stream of Object.keys(body.cursors)) deps.acknowledged(stream)
        deps.cancels(body.cancels)
        deps.unwanted(body.unwanted)
        sender.startAnew()
        beat()
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
        for (const [stream, seq] of Object.entries(body.cursors)) journal.acknowledge(stream, seq)
        if (body.heard_mono_ms !== undefined && body.heard_mono_ms <= clock.mono()) {
          journal.setHeardMono(Math.max(journal.heardMono(), body.heard_mono_ms))
        }
      })
      .then(() => {
        sender.acknowledged(streams, body.again ?? [])
        for (const stream of streams) deps.acknowledged(stream)
      })
      .catch((error: unknown) => log.error({ err: error }, 'cannot store an acknowledgement'))
  }

  const connected = (): void => {
    welcomedEpoch = null
    hellos = 0
    sender.pause()
    sayHello()
  }

  return {
    start: async (): Promise<void> => {
      await bus.subscribe(filterOf(fleet, 'deviceCommand', { device }), command)
      await bus.subscribe(filterOf(fleet, 'controllerState'), (message) => {
        const state = ControllerState.safeParse(readJson(message.payload))
        if (state.success && state.data.state === 'online' && welcomedEpoch !== null && state.data.epoch > welcomedEpoch)
          sayHelloSoon()
        // Before the first welcome: the hello may have gone out when nobody listened.
        if (state.success && state.data.state === 'online' && !message.retained && welcomedEpoch === null) sayHelloSoon()
      })
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
    /** New records are in the journal. */
    wake: (): void => sender.pump(),
    controllerNow,
    isWelcomed: (): boolean => welcomedEpoch !== null,
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
      beatTimer?.cancel()
      sender.pause()
    },
    /** The daemon is gone without a word, as after kill -9. */
    abandon: (): void => {
      isClosed = true
      helloTimer?.cancel()
      beatTimer?.cancel()
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
