import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { version } from '../base/version.ts'
import { isTooDeep, maxDepth } from '../schemas/depth.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { nearest, refusalOf } from '../schemas/faults.ts'
import { instant } from '../schemas/ids.ts'
import { isOperation, mayAsk, type OperationName, operationNames, operations } from '../schemas/operations.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { matches, parseSelector } from '../schemas/selector.ts'
import { priorities, readTask } from '../schemas/task.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { Ask, Asker } from './asking.ts'
import type { Audit } from './audit.ts'
import type { Effects } from './effects.ts'
import type { Execution } from './execution.ts'
import type { Fleet } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { HostFacts } from './host-facts.ts'
import type { Intake } from './intake.ts'
import { badCursor, pageOf, readCursor } from './paging.ts'
import { ReadFailed, type Reading } from './reading/reading.ts'
import type { Retention } from './retention.ts'
import type { Store } from './store/store.ts'
import { bodyOf, type TaskRow } from './store/tasks.ts'
import type { TaskLog } from './task-log.ts'
import type { Views } from './views.ts'

export interface OperationsDeps {
  fleetName: string
  store: Store
  fleet: Fleet
  execution: Execution
  intake: Intake
  views: Views
  commits: GroupCommit
  audit: Audit
  clock: Clock
  epoch: () => number
  reading: Reading
  retention: Retention
  effects: Effects
  taskLog: TaskLog
  /** Operations that live in files of their own. */
  more: Omit<Handlers, OwnOperation>
  /** A token has been used, for this or that. */
  used: (jti: string) => void
  /** Of the process and its files; what `status` tells of them. */
  host: () => HostFacts
}

type OwnOperation =
  | `task.${'submit' | 'list' | 'get' | 'cancel' | 'retry' | 'logs'}`
  | 'device.list'
  | 'device.get'
  | 'retention.prune'
  | 'system.status'

type Refusal = ReturnType<typeof refused>

/** Whether it only asks, and changes nothing: a preview is posted because a task is too large for a query, and asked for while somebody still writes. */
const isQuestion = (name: OperationName): boolean => operations[name].http.method === 'get' || name === 'task.preview'

/** Answers every operation of the table: checks who asks, reads the input, does it, commits. */
export const createOperations = (deps: OperationsDeps): Ask => {
  const { store, fleet, execution, intake, views, commits, audit, clock, reading, retention, effects } = deps

  const withTask = <R extends Outcome<unknown> | Promise<Outcome<unknown>>>(
    id: string,
    use: (task: TaskRow) => R,
  ): R | Refusal => {
    const task = store.tasks.get(id)
    return task
      ? use(task)
      : refused('not_found', `there is no task "${id}"`, [{ field: 'task_id', code: 'not_found', message: 'names no task' }])
  }

  const handlers: Handlers = {
    ...deps.more,
    'task.submit': (asker, raw) => {
      const read = readTask(raw)
      if (!read.ok) return read
      const door = raw['source'] === undefined ? asker.door : undefined
      return commits.run((): Outcome<unknown> => {
        const outcome = intake.submit(asker.subject, read.task, { door })
        if (!outcome.ok) return outcome
        const { row, isNew, isPlaced } = outcome.output
        return accepted({ ...(isPlaced ? views.taskAsIs(row) : views.task(row)), ...(isNew ? {} : { duplicate: true }) })
      })
    },
    'task.list': async (_, input) => {
      const before = input.cursor === undefined ? undefined : readCursor(input.cursor)
      if (before === null) return badCursor
      const filter = {
        ...input,
        rank: input.priority?.map((one) => priorities.indexOf(one)),
        since: input.since === undefined ? undefined : Date.parse(input.since),
        until: input.until === undefined ? undefined : Date.parse(input.until),
        before,
        limit: input.limit + 1,
      }
      const rows = await reading.tasks(filter, maxOutputBytes)
      const { shown, cursor } = pageOf(rows, input.limit, views.task, (row) => row.n)
      return accepted({ tasks: shown, cursor })
    },
    'task.get': (_, input) => {
      const after = input.cursor === undefined ? 0 : readCursor(input.cursor)
      return after === null ? badCursor : withTask(input.task_id, (task) => accepted(views.taskInFull(task, after)))
    },
    'task.cancel': (asker, input) =>
      commits.run(() =>
        withTask(input.task_id, (task) => {
          if (task.state === 'cancelled') return accepted(views.task(task))
          if (isTaskOver(task.state)) {
            return refused('conflict', `task ${task.task_id} has already ended: ${task.state}`, [
              { field: 'task_id', code: 'terminal_state', message: `has ended as ${task.state}` },
            ])
          }
          return accepted(views.task(execution.cancel(task, asker.subject)))
        }),
      ),
    'task.retry': (asker, input) =>
      commits.run(() =>
        withTask(input.task_id, (task) => {
          if (!isTaskOver(task.state)) return refused('conflict', `task ${task.task_id} has not ended yet: it is ${task.state}`)
          const { idempotency_key: _, ...body } = bodyOf(task)
          const key = input.idempotency_key
          // Of an adopted task it is not known what it ran.
          const read = readTask(key === undefined ? body : { ...body, idempotency_key: key })
          if (!read.ok) return read
          const outcome = intake.submit(asker.subject, read.task, { retryOf: task.task_id })
          if (!outcome.ok) return outcome
          const { row, isNew, isPlaced } = outcome.output
          return accepted({ ...(isPlaced ? views.taskAsIs(row) : views.task(row)), ...(isNew ? {} : { duplicate: true }) })
        }),
      ),
    'task.logs': (_, input) => withTask(input.task_id, (task) => deps.taskLog(task, input)),
    'device.list': (_, input) => {
      const selector = parseSelector(input.selector ?? '')
      if (input.selector && !selector.ok) {
        return refused('invalid', `selector: ${selector.reason}`, [
          { field: 'selector', code: 'invalid_selector', message: selector.reason },
        ])
      }
      const start = input.cursor === undefined ? 0 : readCursor(input.cursor)
      if (start === null) return badCursor
      const wanted = [...fleet.devices.values()]
        .sort((a, b) => b.row.joined_at - a.row.joined_at || (a.row.name < b.row.name ? -1 : 1))
        .filter((device) => !input.selector || (selector.ok && matches(selector.requirements, device.labels)))
        .filter((device) => !input.state || input.state.includes(views.stateOf(device)))
        .map((device, index) => ({ device, index }))
        .slice(start)
      const { shown, cursor } = pageOf(
        wanted,
        input.limit,
        ({ device }) => views.device(device),
        ({ index }) => index + 1,
      )
      return accepted({ devices: shown, cursor })
    },
    'device.get': (_, input) => {
      const device = fleet.devices.get(input.device)
      return device ? accepted(views.device(device)) : refused('not_found', `no device named "${input.device}" has joined`)
    },
    'retention.prune': async (asker, input) => {
      const ageMs = input.older_than_seconds === undefined ? retention.policy.taskAgeMs : input.older_than_seconds * 1000
      const before = Math.max(0, clock.now() - ageMs)
      const tasks = await reading.endedBefore(before)
      const facts = { tasks, before: instant(before), dry_run: input.dry_run }
      if (input.dry_run) return accepted(facts)
      // It takes its time, and nobody has to wait for it.
      void retention.sweep(before)
      return commits.run(() => {
        effects.event('audit', 'skein.audit.pruned', asker.subject, {
          subject: asker.subject,
          operation: 'retention.prune',
          ...facts,
        })
        return accepted(facts)
      })
    },
    'system.status': async () => {
      const { tasks, queue } = await reading.overview()
      const { depth, oldest } = queue
      return accepted({
        version,
        fleet: deps.fleetName,
        epoch: deps.epoch(),
        at: instant(clock.now()),
        ...deps.host(),
        tasks,
        devices: views.presence(),
        queue: { depth, oldest_seconds: oldest === null ? null : Math.max(0, (clock.now() - oldest) / 1000) },
      })
    },
  }

  const performed = async (name: OperationName, asker: Asker, input: unknown): Promise<Outcome<unknown>> => {
    try {
      return await handlers[name](asker, input as never) // parsed by the schema of the same name
    } catch (error) {
      if (error instanceof ReadFailed) return refused('unavailable', error.message)
      throw error
    }
  }

  return async (asker, name, input) => {
    if (!isOperation(name)) {
      audit(asker.subject, name, 'unknown_operation')
      const near = nearest(name, operationNames)
      return refused('unknown_operation', `there is no operation "${name}"${near ? `, did you mean "${near}"?` : ''}`)
    }
    const token = store.tokens.ofSubject(asker.subject)
    // A device may come with an expired token for a new one, which it then has to sign for.
    const holds = token && (token.expires_at > clock.now() || name === 'device.renew')
    const role = holds ? token.role : undefined
    // Which of several a device has it says in its hello.
    if (holds && token.role !== 'device') deps.used(token.jti)
    if (role === undefined || !mayAsk(role, name)) {
      const message =
        role === undefined
          ? `"${asker.subject}" has no token here that holds`
          : `role ${role} may not ask for ${name}; ${operations[name].role} may`
      if (role !== undefined || asker.door === 'mqtt') audit(asker.subject, name, 'forbidden')
      return refused('forbidden', message)
    }
    if (isTooDeep(input)) {
      audit(asker.subject, name, 'invalid')
      const message = `is nested deeper than ${maxDepth} levels`
      return refused('invalid', `the input ${message}`, [{ field: '(input)', code: 'too_deep', message }])
    }
    const parsed = operations[name].input.safeParse(input ?? {}, { reportInput: true })
    if (!parsed.success) {
      const shape = operations[name].input
      return refusalOf(name, parsed.error, 'shape' in shape ? Object.keys(shape.shape) : [])
    }
    const outcome = await performed(name, asker, parsed.data)
    if (!outcome.ok && !isQuestion(name)) audit(asker.subject, name, outcome.error.code)
    return outcome
  }
}
