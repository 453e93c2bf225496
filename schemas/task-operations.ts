import { z } from 'zod'
import { deviceStates } from './device.ts'
import { DeviceName, Instant, RunId, Subject, TaskId } from './ids.ts'
import { LogRecords } from './log.ts'
import { limit, many, number, type Operation, page } from './operation.ts'
import { HistoryEntry, priorities, Run, Task, taskTypes } from './task.ts'
import { taskStates } from './task-states.ts'

const byTask = z.strictObject({ task_id: TaskId })

/** What can be asked about tasks. */
export const taskOperations = {
  'task.submit': {
    summary: 'Accept a task: validate it, store it as queued, answer with its id',
    role: 'operator',
    http: { method: 'post', path: '/tasks', status: 201 },
    input: z.looseObject({}),
    output: Task,
  },
  'task.preview': {
    summary: 'Check a task and say which devices would take it, and why the others would not; nothing is submitted',
    role: 'operator',
    http: { method: 'post', path: '/tasks/preview', status: 200 },
    input: z.looseObject({}),
    output: z.looseObject({
      /** What would become of it now, in one line. */
      says: z.string(),
      /** Whether `task.submit` would take it. */
      acceptable: z.boolean(),
      matching_count: z.number().int(),
      /** At most 200 are named, those that could take it at once first. */
      matching: z.array(
        z.looseObject({
          device: DeviceName,
          state: z.enum(deviceStates),
          free: z.number().int(),
          /** Why it does not take it at once; null if it could. */
          waits: z.string().nullable(),
        }),
      ),
      other_count: z.number().int(),
      /** At most 200 are named, each with the part of the target that it does not meet. */
      others: z.array(z.looseObject({ device: DeviceName, why: z.string() })),
    }),
  },
  'task.throughput': {
    summary: 'How many tasks were submitted, and how they ended, minute by minute',
    role: 'viewer',
    http: { method: 'get', path: '/throughput', status: 200 },
    input: z.strictObject({ minutes: number(z.number().int().min(1).max(1440)).default(60) }),
    /** One number for each minute, the last of them under way. */
    output: z.looseObject({
      from: Instant,
      step_seconds: z.number().int(),
      submitted: z.array(z.number().int()),
      succeeded: z.array(z.number().int()),
      /** Failed, timed out, lost, rejected, expired. */
      failed: z.array(z.number().int()),
      cancelled: z.array(z.number().int()),
    }),
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
    summary:
      'Read the log of a task: of its last run, or of the run named; between sequence numbers or instants, or its last lines',
    role: 'viewer',
    http: { method: 'get', path: '/tasks/{task_id}/logs', status: 200 },
    input: z.strictObject({
      task_id: TaskId,
      run: RunId.optional(),
      after: number(z.number().int().min(0)).default(0),
      before: number(z.number().int().min(1)).optional(),
      limit: limit(10_000, 1000),
      tail: number(z.number().int().min(1).max(100_000)).optional(),
      since: Instant.optional(),
      until: Instant.optional(),
    }),
    output: z.looseObject({
      run: z.string().nullable(),
      device: z.string().nullable(),
      records: LogRecords,
      /** Ask again with `after` set to this. */
      next: z.number().int(),
      /** Whether there is nothing after `next` and nothing of this page is on its way. */
      complete: z.boolean(),
      /** What is missing here is on its way from the device: the same question will have it. */
      fetching: z.boolean().optional(),
    }),
  },
  'task.events': {
    summary: 'Read what the agent of a task does, event by event: of its last run, or of the run named',
    role: 'viewer',
    http: { method: 'get', path: '/tasks/{task_id}/events', status: 200 },
    input: z.strictObject({
      task_id: TaskId,
      run: RunId.optional(),
      after: number(z.number().int().min(0)).default(0),
      limit: limit(10_000, 1000),
    }),
    output: z.looseObject({
      run: z.string().nullable(),
      device: z.string().nullable(),
      /** Each with its number and its instant; one of type `dropped` stands for those that were not kept. */
      events: z.array(z.looseObject({ seq: z.number().int(), at: Instant, type: z.string() })),
      next: z.number().int(),
      complete: z.boolean(),
    }),
  },
  'task.say': {
    summary: 'Tell the agent of a task something while it works',
    role: 'operator',
    http: { method: 'post', path: '/tasks/{task_id}/say', status: 200 },
    input: z.strictObject({
      task_id: TaskId,
      text: z
        .string()
        .min(1)
        .max(32 * 1024),
    }),
    output: z.looseObject({ run: RunId, device: DeviceName }),
  },
} as const satisfies Record<string, Operation>
