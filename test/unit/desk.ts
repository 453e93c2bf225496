import type { Bus, Message } from '../../base/bus.ts'
import { chanceFrom } from '../../base/chance.ts'
import { silentLog } from '../../base/log.ts'
import { type Controller, startController } from '../../controller/controller.ts'
import type { CommandKeyFiles } from '../../controller/identity/command-keys.ts'
import type { TokenKeyFiles } from '../../controller/identity/token-keys.ts'
import type { RetentionPolicy } from '../../controller/retention.ts'
import { openStore, type Store } from '../../controller/store/store.ts'
import type { Outcome } from '../../schemas/errors.ts'
import { Command, type RunChange, type Verb } from '../../schemas/exchange.ts'
import { instant } from '../../schemas/ids.ts'
import { Jws } from '../../schemas/keys.ts'
import { topicMatches, topicOf } from '../../schemas/topics.ts'
import { someCommandKeys, someTokenKeys } from '../harness/keys.ts'
import { clockOf, createTime, randomFrom, type Time } from '../simulation/sim-clock.ts'

/** A bus in memory: delivers in order, at once, on simulated time. */
export const createWire = (time: Time) => {
  const subscribers: { filter: string; receive: (message: Message) => void | Promise<void>; isUp: () => boolean }[] = []
  const retained = new Map<string, Uint8Array>()
  const sent: { topic: string; text: string; bytes: number; at: number }[] = []
  const open = (): Bus & { cut: () => void; mend: () => void } => {
    let isUp = true
    const connects: (() => void)[] = []
    const disconnects: (() => void)[] = []
    return {
      publish: (topic, payload, options) => {
        if (!isUp) return
        const bytes = Buffer.from(payload)
        sent.push({ topic, text: bytes.toString(), bytes: bytes.length, at: time.now() })
        if (options?.retain) retained.set(topic, bytes)
        for (const one of subscribers) {
          if (!topicMatches(one.filter, topic)) continue
          time.schedule(0, () => {
            if (one.isUp()) void one.receive({ topic, payload: bytes, retained: false })
          })
        }
      },
      subscribe: async (filter, receive) => {
        subscribers.push({ filter, receive, isUp: () => isUp })
        for (const [topic, payload] of retained) if (topicMatches(filter, topic)) void receive({ topic, payload, retained: true })
      },
      unsubscribe: () => {},
      isConnected: () => isUp,
      onConnect: (call) => {
        connects.push(call)
        if (isUp) call()
      },
      onDisconnect: (call) => {
        disconnects.push(call)
      },
      backlogBytes: () => 0,
      isHeard: () => true,
      close: async () => {
        isUp = false
      },
      cut: () => {
        isUp = false
        for (const call of disconnects) call()
      },
      mend: () => {
        isUp = true
        for (const call of connects) call()
      },
    }
  }
  return { open, sent, retained }
}

/** Lives until that much simulated time has passed; all that was promised meanwhile is carried out. */
export const createPace = (time: Time) => {
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const advance = async (ms: number): Promise<void> => {
    const until = time.now() + ms
    for (;;) {
      while (time.step(until)) await turn()
      await turn()
      if (!time.step(until)) return
      await turn()
    }
  }
  /** Waits for an answer while simulated time stands still. */
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false
    // It is the caller's; until then it may have been rejected.
    promise
      .catch(() => undefined)
      .finally(() => {
        isSettled = true
      })
    // What is done outside, as by WebCrypto, takes a moment of real time.
    for (await advance(0); !isSettled; await advance(0)) await turn()
    return promise
  }
  return { advance, settle }
}

export interface DeskOptions {
  time?: Time
  wire?: ReturnType<typeof createWire>
  store?: Store
  seed?: number
  heartbeatMs?: number
  retention?: RetentionPolicy
  keys?: CommandKeyFiles
  tokenKeys?: TokenKeyFiles
  /** Where bundles are kept. */
  blobs?: string
}

const commandKeys = someCommandKeys()
const usualTokenKeys = someTokenKeys()

/** A controller over a store and a bus in memory, on simulated time, with devices and clients that a test speaks for. */
export const startDesk = async (options: DeskOptions = {}) => {
  const time = options.time ?? createTime()
  const tokenKeys = options.tokenKeys ?? usualTokenKeys
  const wire = options.wire ?? createWire(time)
  const store = options.store ?? openStore(':memory:', ':memory:')
  const random = randomFrom(options.seed ?? 7)
  const chance = chanceFrom((count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)))
  const life = { isDead: false, wallOffsetMs: 0 }
  const clock = clockOf(time, life)
  const { advance, settle } = createPace(time)
  const bus = wire.open()
  const devices = wire.open()
  const overtakenBy: number[] = []
  for (const [subject, role] of [
    ['admin', 'admin'],
    ['olga', 'operator'],
    ['victor', 'viewer'],
    ['d1', 'device'],
  ] as const) {
    const row = { jti: subject, subject, role, hash: '', created_at: 0, expires_at: Date.parse('2999-01-01') }
    store.tokens.put({ ...row, revoked_at: null, last_used_at: null, key: tokenKeys.oldest().kid })
  }
  const controller: Controller = await settle(
    startController({
      fleet: 'default',
      store,
      bus,
      clock,
      chance,
      log: silentLog,
      heartbeatMs: options.heartbeatMs ?? 10_000,
      keys: options.keys ?? commandKeys,
      tokenKeys,
      overtaken: (epoch) => overtakenBy.push(epoch),
      blobs: options.blobs ?? '/nonexistent',
      onEpoch: () => {},
      ...(options.retention ? { retention: options.retention } : {}),
    }),
  )
  const ask = (operation: string, input: unknown, subject = 'admin', door: 'mqtt' | 'api' | 'cli' = 'api') =>
    settle(controller.ask({ subject, door }, operation, input))

  const sessions = new Map<string, { journal: string; session: number; seq: number }>()
  const stateOf = (name: string) => {
    const known = sessions.get(name) ?? { journal: `journal-of-${name}`, session: 1, seq: 0 }
    sessions.set(name, known)
    return known
  }
  const publish = async (topic: string, value: unknown): Promise<void> => {
    devices.publish(topic, JSON.stringify(value))
    await advance(0)
  }

  /** A device says hello; with `journal` it has a new memory. */
  const hello = async (name: string, more: Record<string, unknown> = {}): Promise<void> => {
    const device = stateOf(name)
    if (typeof more['journal'] === 'string' && more['journal'] !== device.journal)
      Object.assign(device, { journal: more['journal'], seq: 0 })
    const about = { nonce: `n${time.now()}`, epoch: 0, revision: 0, boot: 'b', mono_ms: time.now(), at: instant(clock.now()) }
    const facts = { streams: {}, runs: [], labels: { os: 'linux' }, capacity: 2, version: 't' }
    const payload = { ...about, ...facts, journal: device.journal, session: device.session, ...more }
    await publish(topicOf('default', 'deviceHello', { device: name }), payload)
  }
  /** A device says what became of a run; the next number in its stream, unless one is given. */
  const report = async (name: string, run: string, state: RunChange['state'], more: Partial<RunChange> = {}): Promise<void> => {
    const device = stateOf(name)
    const seq = more.seq ?? ++device.seq
    const change = { seq, run, state, at: instant(clock.now()), ...more }
    const head = { journal: device.journal, session: device.session, boot: 'b', mono_ms: time.now() }
    await publish(topicOf('default', 'deviceRun', { device: name }), { ...head, changes: [change] })
  }
  /** A device reports its workloads, under this number of its journal. */
  const reportWorkloads = async (name: string, seq: number, workloads: readonly object[], more = {}): Promise<void> => {
    const head = { journal: stateOf(name).journal, seq, at: instant(clock.now()), revision: 0 }
    await publish(topicOf('default', 'deviceReported', { device: name }), { ...head, workloads, ...more })
  }
  const beat = async (name: string, running: readonly string[] = []): Promise<void> => {
    const payload = { session: stateOf(name).session, at: instant(clock.now()), mono_ms: time.now(), running }
    await publish(topicOf('default', 'deviceHeartbeat', { device: name }), payload)
  }
  /** A piece of a log, as the device sends it. */
  const chunk = async (
    name: string,
    run: string,
    records: readonly (readonly [number, number, string, unknown])[],
    more = {},
  ) => {
    const first = records[0]?.[0] ?? 0
    const last = records.at(-1)?.[0] ?? 0
    const body = { journal: stateOf(name).journal, source: run, first, last, lines: records.length, bytes: 10, records, ...more }
    await publish(topicOf('default', 'deviceLog', { device: name, source: run }), body)
  }
  /** What the controller has told a device so far. */
  const commands = (name: string, verb: Verb) =>
    wire.sent
      .filter((one) => one.topic === topicOf('default', 'deviceCommand', { device: name, verb }))
      .map((one) => ({ ...commandIn(one.text), at: one.at }))

  /** Submits a task and gives its id; the test fails if it is refused. */
  const submit = async (more: Record<string, unknown> = {}, subject = 'admin'): Promise<string> =>
    taskIdOf(await ask('task.submit', { payload: { command: ['true'] }, ...more }, subject))
  /** A task as the store has it. */
  const task = (id: string) => {
    const row = store.tasks.get(id)
    if (!row) throw new Error(`there is no task ${id}`)
    return row
  }
  const run = (id: string) => {
    const row = store.runs.get(id)
    if (!row) throw new Error(`there is no run ${id}`)
    return row
  }
  /** In so many ms a piece of work throws: what is committed with it is undone, and done once more. */
  const upset = (ms: number): void => {
    time.schedule(ms, () => {
      const { insert } = store.tasks
      store.tasks.insert = () => {
        throw new Error('upset')
      }
      controller
        .ask({ subject: 'admin', door: 'api' }, 'task.submit', { payload: { command: ['true'] } })
        .catch(() => undefined) // as it is meant to
        .finally(() => {
          store.tasks.insert = insert
        })
    })
  }
  const close = async (): Promise<void> => {
    await controller.close()
    life.isDead = true
  }
  return {
    time,
    wire,
    store,
    life,
    clock,
    bus,
    controller,
    overtakenBy,
    /** Publishes on any topic. */
    say: publish,
    advance,
    settle,
    ask,
    hello,
    report,
    beat,
    reportWorkloads,
    chunk,
    commands,
    submit,
    task,
    run,
    upset,
    close,
  }
}
export type Desk = Awaited<ReturnType<typeof startDesk>>

/** The command in a signed message, whoever signed it. */
export const commandIn = (text: string): Command =>
  Command.parse(JSON.parse(Buffer.from(Jws.parse(JSON.parse(text)).payload, 'base64url').toString()))

/** The output of an operation; an expected refusal fails the test with its message. */
export const outputOf = (outcome: Outcome<unknown>): Record<string, unknown> => {
  if (!outcome.ok) throw new Error(`refused: ${outcome.error.code}: ${outcome.error.message}`)
  return outcome.output as Record<string, unknown> // every operation answers with an object
}
export const taskIdOf = (outcome: Outcome<unknown>): string => String(outputOf(outcome)['task_id'])
/** The code of a refusal, or `ok`. */
export const codeOf = (outcome: Outcome<unknown>): string => (outcome.ok ? 'ok' : outcome.error.code)
