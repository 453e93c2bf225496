import { z } from 'zod'
import { AgentResult } from './agent.ts'
import { ApprovalChange } from './agent-events.ts'
import { DeviceName, Instant, RunId, TaskId } from './ids.ts'
import { PublicJwk } from './keys.ts'
import { LogRecord } from './log.ts'
import { RunPayload } from './payload.ts'
import { reportedRunStates } from './run-states.ts'
import { Options } from './task.ts'
import { workloadRequests } from './workload-requests.ts'

/**
 * What device and controller say to each other. Between our own parts an unknown field is ignored and passed on, so these are
 * loose; a changed meaning would be a new protocol number in the topic.
 */
const Counter = z.number().int().nonnegative()
const Labels = z.record(z.string(), z.string())

/** device/<d>/state, retained, with the will as its twin: `session` counts the device's connects, so an old will is told apart. */
export const DeviceState = z.looseObject({
  state: z.enum(['online', 'offline']),
  session: Counter,
  at: Instant,
  reason: z.string().optional(),
})
export type DeviceState = z.infer<typeof DeviceState>

/** controller/state, retained, with a will. */
export const ControllerState = z.looseObject({
  state: z.enum(['online', 'offline']),
  epoch: Counter,
  at: Instant,
  /** Random for each start: two controllers of one epoch, copies of one database, are told apart by it. */
  instance: z.string().optional(),
  /** The epoch, signed: nobody else can drive a controller away. */
  proof: z.unknown().optional(),
})
export type ControllerState = z.infer<typeof ControllerState>

/** device/<d>/info, retained: for show. */
export const DeviceInfo = z.looseObject({
  labels: Labels,
  capacity: Counter,
  version: z.string(),
  /** What it can enforce, as in `limit.memory` or `sandbox.network`. */
  capabilities: z.array(z.string()).optional(),
})
export type DeviceInfo = z.infer<typeof DeviceInfo>

/** A run as a device knows it. `log_seq` is the last sequence number of its log. */
export const RunLog = z.looseObject({
  last_seq: Counter,
  lines: Counter,
  bytes: Counter,
  dropped_lines: Counter,
  dropped_bytes: Counter,
})
export type RunLog = z.infer<typeof RunLog>

/** device/<d>/run: one change of one run, numbered in the stream `runs`. */
export const RunChange = z.looseObject({
  seq: Counter,
  run: RunId,
  task: TaskId.optional(),
  state: z.enum(reportedRunStates),
  at: Instant,
  reason: z.string().optional(),
  exit_code: z.number().int().optional(),
  signal: z.string().optional(),
  log: RunLog.optional(),
  /** What came of it, if it was an agent's. */
  agent: AgentResult.optional(),
  /** What an agent waits for, or what became of that: the run itself goes on as it was. */
  approval: ApprovalChange.optional(),
  /** How far the events of an agent go. */
  events: RunLog.optional(),
})
export type RunChange = z.infer<typeof RunChange>

export const RunReport = z.looseObject({
  journal: z.string(),
  session: Counter,
  boot: z.string(),
  mono_ms: z.number(),
  changes: z.array(RunChange),
})
export type RunReport = z.infer<typeof RunReport>

/** device/<d>/log/<source>: a part of a log. `first` and `last` are the sequence numbers that it covers. */
export const LogHead = z.looseObject({
  journal: z.string(),
  source: z.string(),
  first: Counter,
  last: Counter,
  lines: Counter,
  bytes: Counter,
  /** How far the device has seen it acknowledged. */
  acked: Counter.optional(),
  /** Sent once more, because the controller wanted it; after `end` no more of it comes before it is asked for again. */
  again: z.enum(['more', 'end']).optional(),
})
export type LogHead = z.infer<typeof LogHead>
export const LogChunk = LogHead.extend({ records: z.array(LogRecord) })
export type LogChunk = z.infer<typeof LogChunk>

export const DeviceKeys = z.looseObject({ sign: PublicJwk, seal: PublicJwk })
export type DeviceKeys = z.infer<typeof DeviceKeys>

/** device/<d>/hello: who I am, how far I am, what you have not acknowledged. */
export const Hello = z.looseObject({
  session: Counter,
  journal: z.string(),
  nonce: z.string(),
  epoch: Counter,
  /** The highest epoch that was ever seen, as the controller signed it. */
  proof: z.unknown().optional(),
  /** Thumbprints of the controller keys that the device believes. */
  keys: z.array(z.string()).optional(),
  /** The public halves of the device's own keys: what it signs with, and what is sealed to. */
  identity: DeviceKeys.optional(),
  /** Of the token that it uses; seconds since 1970. */
  token: z.looseObject({ id: z.string(), issued_at: z.number(), expires_at: z.number() }).optional(),
  revision: Counter,
  boot: z.string(),
  mono_ms: z.number(),
  at: Instant,
  streams: z.record(z.string(), Counter),
  /** How far the device has seen those acknowledged that are logs. */
  acked: z.record(z.string(), Counter).optional(),
  runs: z.array(z.looseObject({ run: RunId, task: TaskId.optional(), state: z.enum(reportedRunStates) })),
  labels: Labels,
  capacity: Counter,
  version: z.string(),
  /** Why it takes no new work now. */
  refuses: z.string().max(200).optional(),
})
export type Hello = z.infer<typeof Hello>

/** device/<d>/heartbeat, QoS 0. Renews the lease of every run that it names. */
export const Heartbeat = z.looseObject({
  session: Counter,
  at: Instant,
  mono_ms: z.number(),
  running: z.array(RunId),
  /** Why it takes no new work now, as a full disk is. */
  refuses: z.string().max(200).optional(),
  /** The device asks to be told that this was heard: it has runs to stop by itself if it is given up. */
  answer: z.boolean().optional(),
  metrics: z
    .looseObject({
      cpu_percent: z.number().nullable(),
      memory_used_mb: z.number().nullable(),
      memory_total_mb: z.number().nullable(),
      disk_used_mb: z.number().nullable(),
      disk_total_mb: z.number().nullable(),
      load: z.array(z.number()),
      temperature_celsius: z.number().nullable(),
      uptime_seconds: z.number(),
      clock_offset_ms: z.number().nullable(),
    })
    .optional()
    // For show only: figures that do not fit must not silence a device.
    .catch(undefined),
})
export type Heartbeat = z.infer<typeof Heartbeat>

/** A run as the device is told to start it. */
export const RunOrder = z.looseObject({
  run: RunId,
  task: TaskId,
  attempt: Counter,
  payload: RunPayload,
  options: Options,
  /** After this instant of the controller's clock the run must not start any more. */
  start_before: Instant.optional(),
  /** Seconds without a word between device and controller after which the controller gives the run up. */
  given_up_after_seconds: z.number().optional(),
  /** How many of those seconds had gone by when this was sent: more than none for an order that is repeated. */
  silent_seconds: z.number().optional(),
})
export type RunOrder = z.infer<typeof RunOrder>

export const commandBodies = {
  welcome: z.looseObject({
    nonce: z.string(),
    at: Instant,
    cursors: z.record(z.string(), Counter),
    wanted: z.array(RunId),
    unwanted: z.array(RunId),
    cancels: z.array(RunId),
    heartbeat_seconds: z.number().positive(),
    revision: Counter,
    /** The controller keys that hold from now on, newest first. */
    keys: z.array(PublicJwk).min(1).optional(),
    /** The epoch of this controller, signed: to be shown to one that was restored from a backup. */
    proof: z.unknown().optional(),
    /** A new token, sealed to the device: the old one is about to expire. */
    token: z.string().optional(),
  }),
  ack: z.looseObject({
    journal: z.string(),
    cursors: z.record(z.string(), Counter),
    /** Streams of which something is missing: to be sent again from the cursor on. */
    again: z.array(z.string()).optional(),
    /** Of logs, what was acknowledged once and is not here any more: from and to, for each stream. */
    wanted: z.record(z.string(), z.array(z.tuple([Counter, Counter]))).optional(),
    /** The `mono_ms` of the last heartbeat that was heard. */
    heard_mono_ms: z.number().optional(),
    /** The controller does not know this session: the device is to say hello. */
    hello: z.boolean().optional(),
  }),
  run: z.looseObject({ runs: z.array(RunOrder) }),
  cancel: z.looseObject({ runs: z.array(RunId) }),
  /** What was said to agents that wait for a permission. */
  answer: z.looseObject({
    answers: z.array(
      z.looseObject({
        run: RunId,
        approval: z.string(),
        verdict: z.enum(['approved', 'rejected']),
        by: z.string(),
        reason: z.string().nullable(),
      }),
    ),
  }),
  /** Something for an agent while it works; answered as what is asked about workloads. */
  say: z.object({ request: z.string(), run: RunId, text: z.string(), by: z.string() }),
  // What is asked about workloads, under the name of the verb. `request` is the same each time that it is repeated, and is in the answer.
  start: z.object({ request: z.string(), ...workloadRequests.start.input.shape }),
  stop: z.object({ request: z.string(), ...workloadRequests.stop.input.shape }),
  restart: z.object({ request: z.string(), ...workloadRequests.restart.input.shape }),
  reload: z.object({ request: z.string(), ...workloadRequests.reload.input.shape }),
  logs: z.object({ request: z.string(), ...workloadRequests.logs.input.shape }),
  history: z.object({ request: z.string(), ...workloadRequests.history.input.shape }),
  // `by` is who asks: whose shell it is.
  shell: z.object({ request: z.string(), by: z.string(), ...workloadRequests.shell.input.shape }),
} as const

export type Verb = keyof typeof commandBodies
export const verbs = Object.keys(commandBodies) as Verb[] // Object.keys forgets the keys' type
export type CommandBody<V extends Verb> = z.infer<(typeof commandBodies)[V]>
export type Welcome = CommandBody<'welcome'>
export type Ack = CommandBody<'ack'>

/**
 * device/<d>/command/<verb>: what every command carries around its body, as the payload of a signed message. Never retained.
 * `nonce` is that of the hello which the device was welcomed for: what was recorded in an earlier session is void.
 */
export const Command = z.looseObject({
  fleet: z.string(),
  device: DeviceName,
  verb: z.string(),
  epoch: Counter,
  nonce: z.string().nullable(),
  id: z.string(),
  issued_at: Instant,
  expires_at: Instant,
  body: z.unknown(),
})
export type Command = z.infer<typeof Command>

/** The payload of an epoch's proof. */
export const EpochProof = z.looseObject({ fleet: z.string(), epoch: Counter })
