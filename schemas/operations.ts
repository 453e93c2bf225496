import { z } from 'zod'
import { Device, deviceStates } from './device.ts'
import { DeviceName, Instant, RunId, Subject, TaskId } from './ids.ts'
import { LogRecord } from './log.ts'
import { HistoryEntry, priorities, Run, Task, taskTypes } from './task.ts'
import { taskStates } from './task-states.ts'

/** Who may ask: each role may do all that those before it may. */
export const askerRoles = ['viewer', 'operator', 'admin'] as const
export type AskerRole = (typeof askerRoles)[number]

type Operation = {
  summary: string
  role: AskerRole
  http: { method: 'get' | 'post' | 'put' | 'delete'; path: string; status: 200 | 201 }
  input: z.ZodType
  output: z.ZodType
}

/** Numbers and flags may come as text, from a query string. */
const number = (schema: z.ZodNumber) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^-?\d+$/, 'must be a whole number')
        .transform(Number),
    ])
    .pipe(schema)
const many = <T extends Readonly<Record<string, string>>>(schema: z.ZodEnum<T>) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(schema))

const limit = (most: number, usual: number) => number(z.number().int().min(1).max(most)).default(usual)
const page = { limit: limit(1000, 50), cursor: z.string().max(200).optional() }
const byTask = z.strictObject({ task_id: TaskId })

/** Every operation a client can ask of the controller. The MQTT door, REST and the CLI are made from this table. */
export const operations = {
  'task.submit': {
    summary: 'Accept a task: validate it, store it as queued, answer with its id',
    role: 'operator',
    http: { method: 'post', path: '/tasks', status: 201 },
    input: z.looseObject({}),
    output: Task,
  },
  'task.list': {
    summary: 'List tasks, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/tasks', status: 200 },
    input: z.strictObject({
      ...page,
      state: many(z.enum(taskStates)).optional(),
      type: many(z.enum(taskTypes)).optional(),
      priority: many(z.enum(priorities)).optional(),
      source: z.string().optional(),
      requested_by: Subject.optional(),
      device: DeviceName.optional(),
      repository: z.string().optional(),
      tag: z.string().optional(),
      since: Instant.optional(),
      until: Instant.optional(),
    }),
    output: z.looseObject({ tasks: z.array(Task), cursor: z.string().nullable() }),
  },
  'task.get': {
    summary: 'Show a task with its runs and its history',
    role: 'viewer',
    http: { method: 'get', path: '/tasks/{task_id}', status: 200 },
    input: byTask.extend({ cursor: z.string().max(200).optional() }),
    /** Of a wide fan-out a page holds the task and some of its runs, with their part of the history. */
    output: Task.extend({ runs: z.array(Run), history: z.array(HistoryEntry), cursor: z.string().nullable().default(null) }),
  },
  'task.cancel': {
    summary: 'Cancel a task: it ends cancelled, and its processes are stopped',
    role: 'operator',
    http: { method: 'post', path: '/tasks/{task_id}/cancel', status: 200 },
    input: byTask,
    output: Task,
  },
  'task.retry': {
    summary: 'Submit a task that has ended once more, as a new task',
    role: 'operator',
    http: { method: 'post', path: '/tasks/{task_id}/retry', status: 201 },
    input: z.strictObject({ task_id: TaskId, idempotency_key: z.string().min(1).max(256).optional() }),
    output: Task,
  },
  'task.logs': {
    summary: 'Read the log of a task: of its last run, or of the run named; from a sequence number on',
    role: 'viewer',
    http: { method: 'get', path: '/tasks/{task_id}/logs', status: 200 },
    input: z.strictObject({
      task_id: TaskId,
      run: RunId.optional(),
      after: number(z.number().int().min(0)).default(0),
      limit: limit(10_000, 1000),
    }),
    output: z.looseObject({
      run: z.string().nullable(),
      device: z.string().nullable(),
      records: z.array(LogRecord),
      /** Ask again with `after` set to this. */
      next: z.number().int(),
      /** Whether there is nothing after `next` and never will be. */
      complete: z.boolean(),
    }),
  },
  'device.list': {
    summary: 'List devices, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/devices', status: 200 },
    input: z.strictObject({ ...page, state: many(z.enum(deviceStates)).optional(), selector: z.string().max(1024).optional() }),
    output: z.looseObject({ devices: z.array(Device), cursor: z.string().nullable() }),
  },
  'device.get': {
    summary: 'Show a device',
    role: 'viewer',
    http: { method: 'get', path: '/devices/{device}', status: 200 },
    input: z.strictObject({ device: DeviceName }),
    output: Device,
  },
  'system.status': {
    summary: 'Counts of tasks and devices, the age of the queue, versions',
    role: 'viewer',
    http: { method: 'get', path: '/status', status: 200 },
    input: z.strictObject({}),
    output: z.looseObject({
      version: z.string(),
      fleet: z.string(),
      epoch: z.number().int(),
      tasks: z.record(z.string(), z.number().int()),
      devices: z.record(z.string(), z.number().int()),
      queue: z.looseObject({ depth: z.number().int(), oldest_seconds: z.number().nullable() }),
    }),
  },
} as const satisfies Record<string, Operation>

export type OperationName = keyof typeof operations
export type InputOf<N extends OperationName> = z.infer<(typeof operations)[N]['input']>
export type OutputOf<N extends OperationName> = z.infer<(typeof operations)[N]['output']>
export const operationNames = Object.keys(operations) as OperationName[] // Object.keys forgets the keys' type

export const isOperation = (name: string): name is OperationName => Object.hasOwn(operations, name)
/** Whether a role may ask for an operation. Devices and join tokens are not askers. */
export const mayAsk = (role: string, name: OperationName): boolean =>
  (askerRoles as readonly string[]).indexOf(role) >= askerRoles.indexOf(operations[name].role) // any text may be asked about
