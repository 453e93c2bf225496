import type { Bus } from '../base/bus.ts'
import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { EventKind, SkeinEvent } from '../schemas/event.ts'
import type { CommandBody, RunOrder, Verb } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { topicOf } from '../schemas/topics.ts'
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
  /** The task as `task.get` shows it, for those who follow it. */
  show: (taskId: string) => unknown
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
  let others: { kind: EventKind; type: string; subject: string; data: Record<string, unknown> }[] = []
  /** Reply topics that follow a task: topic and the id of the request. */
  const followers = new Map<string, Map<string, string | null>>()

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
    const command = {
      fleet: deps.fleet,
      device,
      verb,
      epoch: deps.epoch(),
      id: deps.chance.ulid(now),
      issued_at: instant(now),
      expires_at: instant(now + commandLifeMs),
      body,
    }
    deps.bus.publish(topicOf(deps.fleet, 'deviceCommand', { device, verb }), JSON.stringify(command), { qos: 1 })
  }

  const sendEvents = (
    kind: EventKind,
    list: readonly { type: string; subject: string; data: Record<string, unknown> }[],
  ): void => {
    if (list.length === 0) return
    const now = deps.clock.now()
    const events: SkeinEvent[] = list.map((one) => ({
      specversion: '1.0',
      id: deps.chance.ulid(now),
      source: `skein/${deps.fleet}`,
      type: one.type,
      subject: one.subject,
      time: instant(now),
      datacontenttype: 'application/json',
      data: one.data,
    }))
    for (const part of inMessages(events)) {
      deps.bus.publish(topicOf(deps.fleet, 'event', { kind }), JSON.stringify(part), { qos: 1 })
    }
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
      for (const [device, list] of orders) for (const part of inMessages(list)) sendCommand(device, 'run', { runs: part })
      for (const [device, list] of cancels)
        for (const part of inMessages([...list])) sendCommand(device, 'cancel', { runs: part })
      const taskEvents = [...tasks.values()].map((task) => ({
        type: `skein.task.${task.state}`,
        subject: task.task_id,
        data: taskFacts(task),
      }))
      const runEvents = [...runs.values()].map((run) => ({
        type: `skein.run.${run.state}`,
        subject: run.run_id,
        data: runFacts(run),
      }))
      sendEvents('task', taskEvents)
      sendEvents('run', runEvents)
      for (const one of others) sendEvents(one.kind, [one])
      tellFollowers()
      clear()
    },
  }
}
export type Effects = ReturnType<typeof createEffects>

const taskFacts = (task: TaskRow) => ({
  task_id: task.task_id,
  type: task.type,
  state: task.state,
  reason: task.reason,
  device: task.device,
  attempt: task.attempt,
  exit_code: task.exit_code,
  requested_by: task.requested_by,
})

const runFacts = (run: RunRow) => ({
  run_id: run.run_id,
  task_id: run.task_id,
  attempt: run.attempt,
  device: run.device,
  state: run.state,
  reason: run.reason,
  exit_code: run.exit_code,
})

/** Cuts a list into parts whose JSON fits in one message each. */
const inMessages = <T>(list: readonly T[]): T[][] => {
  const parts: T[][] = []
  let part: T[] = []
  let bytes = 0
  for (const one of list) {
    const size = Buffer.byteLength(JSON.stringify(one)) + 1
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
