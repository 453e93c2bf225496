import type { Bus } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import { type EventKind, eventKinds } from '../schemas/event.ts'
import type { CommandBody, RunOrder, Verb } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { topicOf } from '../schemas/topics.ts'
import type { FleetDevice } from './fleet.ts'
import type { CommandKeys } from './identity/command-keys.ts'
import type { RunRow } from './store/runs.ts'
import type { TaskRow } from './store/tasks.ts'

/** A command that is not carried out within this time has been overtaken; what still matters is sent again under a new one. */
const commandLifeMs = 60_000

export interface EffectsDeps {
  fleet: string
  bus: Bus
  clock: Clock
  chance: Chance
  epoch: () => number
  keys: CommandKeys
  /** What the hello of a device said, and its welcome: the nonce between the two, and the keys that it believes. */
  welcomedOf: (device: string) => Pick<FleetDevice, 'nonce' | 'keys' | 'welcomedKeys'> | undefined
  /** The task as `task.get` shows it, for those who follow it. */
  show: (taskId: string) => unknown
  /** Told what a commit has changed. */
  changed?: (tasks: ReadonlyMap<string, TaskRow>, runs: ReadonlyMap<string, RunRow>) => void
}

/**
 * What a commit makes known: gathered while the work is done, sent after the commit, forgotten when it fails. Whatever waits for
 * the same device or the same topic at that moment travels together.
 */
export const createEffects = (deps: EffectsDeps) => {
  let orders = new Map<string, RunOrder[]>()
  let cancels = new Map<string, Set<string>>()
  let commands: { device: string; verb: Verb; body: unknown }[] = []
  let messages: { topic: string; payload: string; retain: boolean }[] = []
  let tasks = new Map<string, TaskRow>()
  let runs = new Map<string, RunRow>()
  let others: (News & { kind: EventKind })[] = []
  /** Reply topics that follow a task: topic and the id of the request. */
  const followers = new Map<string, Map<string, string | null>>()
  const topicOfEvent = (kind: EventKind) => [kind, topicOf(deps.fleet, 'event', { kind })]
  const eventTopics = Object.fromEntries(eventKinds.map(topicOfEvent)) as Record<EventKind, string> // each kind by its name

  const clear = (): void => {
    orders = new Map()
    cancels = new Map()
    commands = []
    messages = []
    tasks = new Map()
    runs = new Map()
    others = []
  }

  /** Command after command to one device; a list too long for one message is cut. */
  const sendCommand = <V extends Verb>(device: string, verb: V, body: CommandBody<V>): void => {
    const now = deps.clock.now()
    const known = deps.welcomedOf(device)
    const command = {
      fleet: deps.fleet,
      device,
      verb,
      epoch: deps.epoch(),
      nonce: known?.nonce ?? null,
      id: deps.chance.ulid(now),
      issued_at: instant(now),
      expires_at: instant(now + commandLifeMs),
      body,
    }
    // A device may know a key by its thumbprint only, and not the newest one yet: the welcome brings it.
    const signed =
      verb === 'welcome'
        ? deps.keys.believedBy(known?.keys).sign('skein-command', JSON.stringify(command), { withKey: true })
        : deps.keys.believedBy(known?.welcomedKeys).sign('skein-command', JSON.stringify(command))
    deps.bus.publish(topicOf(deps.fleet, 'deviceCommand', { device, verb }), JSON.stringify(signed), { qos: 1 })
  }

  const sendEvents = <T>(kind: EventKind, changes: Iterable<T>, tell: (change: T) => News): void => {
    const topic = eventTopics[kind]
    if (!deps.bus.isHeard(topic)) return
    const now = deps.clock.now()
    const texts: string[] = []
    // The text of a SkeinEvent. What is the same in all of them is not made into text each time: there are several for each task.
    const rest = `","source":"skein/${deps.fleet}","time":"${instant(now)}","datacontenttype":"application/json","type":"`
    for (const change of changes) {
      const { type, subject, data } = tell(change)
      const start = `{"specversion":"1.0","id":"${deps.chance.ulid(now)}${rest}${type}","subject":`
      texts.push(`${start}${JSON.stringify(subject)},"data":${JSON.stringify(data)}}`)
    }
    for (const part of inMessages(texts, (text) => text)) deps.bus.publish(topic, `[${part.join(',')}]`, { qos: 1 })
  }

  const tellFollowers = (): void => {
    for (const [taskId, task] of tasks) {
      const topics = followers.get(taskId)
      if (!topics) continue
      const output = deps.show(taskId)
      for (const [topic, id] of topics)
        deps.bus.publish(topic, JSON.stringify({ id, ok: true, event: 'task', output }), { qos: 1 })
      if (task.ended_at !== null) followers.delete(taskId)
    }
  }

  return {
    order: (device: string, order: RunOrder): void => {
      const list = orders.get(device) ?? []
      if (!list.some((one) => one.run === order.run)) list.push(order)
      orders.set(device, list)
    },
    cancel: (device: string, run: string): void => {
      cancels.set(device, (cancels.get(device) ?? new Set()).add(run))
    },
    command: <V extends Verb>(device: string, verb: V, body: CommandBody<V>): void => {
      commands.push({ device, verb, body })
    },
    message: (topic: string, payload: string, retain: boolean): void => {
      messages.push({ topic, payload, retain })
    },
    taskChanged: (task: TaskRow): void => {
      tasks.set(task.task_id, task)
    },
    runChanged: (run: RunRow): void => {
      runs.set(run.run_id, run)
    },
    event: (kind: EventKind, type: string, subject: string, data: Record<string, unknown>): void => {
      others.push({ kind, type, subject, data })
    },
    follow: (taskId: string, topic: string, id: string | null): void => {
      if (followers.size > 10_000) followers.clear() // those who follow also ask from time to time
      followers.set(taskId, (followers.get(taskId) ?? new Map()).set(topic, id))
    },
    /** Acknowledgements need no commit of their own: they only repeat what is stored. */
    sendCommand,
    clear,
    perform: (): void => {
      for (const one of messages) deps.bus.publish(one.topic, one.payload, { qos: 1, retain: one.retain })
      for (const one of commands) sendCommand(one.device, one.verb, one.body as never) // `command` took verb and body together
      for (const [device, list] of orders)
        for (const part of inMessages(list, JSON.stringify)) sendCommand(device, 'run', { runs: part })
      for (const [device, list] of cancels)
        for (const part of inMessages([...list], JSON.stringify)) sendCommand(device, 'cancel', { runs: part })
      sendEvents('task', tasks.values(), taskNews)
      sendEvents('run', runs.values(), runNews)
      for (const kind of new Set(others.map((one) => one.kind)))
        sendEvents(
          kind,
          others.filter((one) => one.kind === kind),
          (one) => one,
        )
      tellFollowers()
      deps.changed?.(tasks, runs)
      clear()
    },
  }
}
export type Effects = ReturnType<typeof createEffects>

/** What an event tells, beside what all events have. */
interface News {
  type: string
  subject: string
  data: Record<string, unknown>
}

const taskNews = (task: TaskRow): News => ({
  type: `skein.task.${task.state}`,
  subject: task.task_id,
  data: {
    task_id: task.task_id,
    type: task.type,
    state: task.state,
    reason: task.reason,
    device: task.device,
    attempt: task.attempt,
    exit_code: task.exit_code,
    requested_by: task.requested_by,
  },
})

const runNews = (run: RunRow): News => ({
  type: `skein.run.${run.state}`,
  subject: run.run_id,
  data: {
    run_id: run.run_id,
    task_id: run.task_id,
    attempt: run.attempt,
    device: run.device,
    state: run.state,
    reason: run.reason,
    exit_code: run.exit_code,
  },
})

/** Cuts a list into parts whose JSON fits in one message each. */
const inMessages = <T>(list: readonly T[], textOf: (one: T) => string): T[][] => {
  const parts: T[][] = []
  let part: T[] = []
  let bytes = 0
  for (const one of list) {
    const size = list.length === 1 ? 0 : Buffer.byteLength(textOf(one)) + 1 // one alone goes as it is
    if (part.length > 0 && bytes + size > maxOutputBytes * 0.75) {
      parts.push(part)
      part = []
      bytes = 0
    }
    part.push(one)
    bytes += size
  }
  if (part.length > 0) parts.push(part)
  return parts
}
