import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { version } from '../base/version.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { nearest, refusalOf } from '../schemas/faults.ts'
import { type InputOf, isOperation, mayAsk, type OperationName, operationNames, operations } from '../schemas/operations.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { matches, parseSelector } from '../schemas/selector.ts'
import { priorities, readTask } from '../schemas/task.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { Ask, Asker } from './asking.ts'
import type { Audit } from './audit.ts'
import type { Execution } from './execution.ts'
import type { Fleet } from './fleet.ts'
import type { Intake } from './intake.ts'
import type { Store } from './store/store.ts'
import { bodyOf, type TaskRow } from './store/tasks.ts'
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
}

type Handlers = { [N in OperationName]: (asker: Asker, input: InputOf<N>) => Outcome<unknown> | Promise<Outcome<unknown>> }

/** Answers every operation of the table: checks who asks, reads the input, does it, commits. */
export const createOperations = (deps: OperationsDeps): Ask => {
  const { store, fleet, execution, intake, views, commits, audit, clock } = deps

  const withTask = (id: string, use: (task: TaskRow) => Outcome<unknown>): Outcome<unknown> => {
    const task = store.tasks.get(id)
    return task
      ? use(task)
      : refused('not_found', `there is no task "${id}"`, [{ field: 'task_id', code: 'not_found', message: 'names no task' }])
  }

  /** Pages of what is listed by `n`: as many as are asked for and fit in a message. */
  const page = <T>(rows: readonly T[], limit: number, show: (row: T) => unknown, cursorOf: (row: T) => number) => {
    const shown: unknown[] = []
    let bytes = 0
    for (const row of rows.slice(0, limit)) {
      const one = show(row)
      bytes += Buffer.byteLength(JSON.stringify(one)) + 1
      if (shown.length > 0 && bytes > maxOutputBytes * 0.9) break
      shown.push(one)
    }
    const last = rows[shown.length - 1]
    return { shown, cursor: shown.length < rows.length && last !== undefined ? String(cursorOf(last)) : null }
  }

  const handlers: Handlers = {
    'task.submit': (asker, raw) => {
      const read = readTask(raw)
      if (!read.ok) return read
      const door = raw['source'] === undefined ? asker.door : undefined
      return commits.run((): Outcome<unknown> => {
        const outcome = intake.submit(asker.subject, read.task, { door })
        if (!outcome.ok) return outcome
        return accepted({ ...views.task(outcome.output.row), ...(outcome.output.isNew ? {} : { duplicate: true }) })
      })
    },
    'task.list': (_, input) => {
      const before = input.cursor === undefined ? undefined : readCursor(input.cursor)
      if (before === null) return badCursor
      const rows = store.tasks.list({
        ...input,
        rank: input.priority?.map((one) => priorities.indexOf(one)),
        since: input.since === undefined ? undefined : Date.parse(input.since),
        until: input.until === undefined ? undefined : Date.parse(input.until),
        before,
        limit: input.limit + 1,
      })
      const { shown, cursor } = page(rows, input.limit, views.task, (row) => row.n)
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
          return accepted({ ...views.task(outcome.output.row), ...(outcome.output.isNew ? {} : { duplicate: true }) })
        }),
      ),
    'task.logs': (_, input) =>
      withTask(input.task_id, (task) => {
        const runs = store.runs.ofTask(task.task_id)
        const run = input.run === undefined ? runs.at(-1) : runs.find((one) => one.run_id === input.run)
        if (!run) {
          if (input.run !== undefined) return refused('not_found', `task ${task.task_id} has no run "${input.run}"`)
          return accepted({ run: null, device: null, records: [], next: input.after, complete: isTaskOver(task.state) })
        }
        const records = store.logs.read(run.run_id, input.after, input.limit, maxOutputBytes * 0.9)
        const stored = store.logs.extent(run.run_id)
        const ended = run.log === null ? stored : (JSON.parse(run.log) as typeof stored) // stored from a checked report
        const isLost = run.ended_at !== null && fleet.devices.get(run.device)?.row.journal !== run.journal
        // The rest was on a device that no longer has its memory: the hole is shown where the lines would be.
        if (isLost && ended.last_seq > stored.last_seq && (records.at(-1)?.[0] ?? input.after) === stored.last_seq) {
          const hole = {
            from: stored.last_seq + 1,
            to: ended.last_seq,
            lines: ended.lines - stored.lines,
            bytes: ended.bytes - stored.bytes,
          }
          records.push([ended.last_seq, run.ended_at ?? 0, 's', { dropped: { ...hole, reason: 'journal_lost' } }])
        }
        const next = records.at(-1)?.[0] ?? input.after
        // A cancel that is not confirmed may still bring output.
        const complete = run.ended_at !== null && run.confirmed !== 0 && next >= Math.max(ended.last_seq, stored.last_seq)
        return accepted({ run: run.run_id, device: run.device, state: run.state, records, next, complete })
      }),
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
        .map((device) => views.device(device))
        .filter((device) => !input.state || input.state.includes(device.state))
        .map((device, index) => ({ device, index }))
        .slice(start)
      const { shown, cursor } = page(
        wanted,
        input.limit,
        ({ device }) => device,
        ({ index }) => index + 1,
      )
      return accepted({ devices: shown, cursor })
    },
    'device.get': (_, input) => {
      const device = fleet.devices.get(input.device)
      return device ? accepted(views.device(device)) : refused('not_found', `no device named "${input.device}" has joined`)
    },
    'system.status': () => {
      const devices: Record<string, number> = { online: 0, stale: 0, offline: 0 }
      for (const device of fleet.devices.values()) {
        const { state } = views.device(device)
        devices[state] = (devices[state] ?? 0) + 1
      }
      const { depth, oldest } = store.queue.depth()
      return accepted({
        version,
        fleet: deps.fleetName,
        epoch: deps.epoch(),
        tasks: store.tasks.counts(),
        devices,
        queue: { depth, oldest_seconds: oldest === null ? null : Math.max(0, (clock.now() - oldest) / 1000) },
      })
    },
  }

  return async (asker, name, input) => {
    if (!isOperation(name)) {
      audit(asker.subject, name, 'unknown_operation')
      const near = nearest(name, operationNames)
      return refused('unknown_operation', `there is no operation "${name}"${near ? `, did you mean "${near}"?` : ''}`)
    }
    const role = store.tokens.ofSubject(asker.subject)?.role
    if (role === undefined || !mayAsk(role, name)) {
      const message =
        role === undefined
          ? `"${asker.subject}" has no token here`
          : `role ${role} may not ask for ${name}; ${operations[name].role} may`
      if (role !== undefined || asker.door === 'mqtt') audit(asker.subject, name, 'forbidden')
      return refused('forbidden', message)
    }
    const parsed = operations[name].input.safeParse(input ?? {}, { reportInput: true })
    if (!parsed.success) {
      const shape = operations[name].input
      return refusalOf(name, parsed.error, 'shape' in shape ? Object.keys(shape.shape) : [])
    }
    const outcome = await handlers[name](asker, parsed.data as never) // parsed by the schema of the same name
    if (!outcome.ok && operations[name].http.method !== 'get') audit(asker.subject, name, outcome.error.code)
    return outcome
  }
}

const badCursor = refused('invalid', 'cursor: is not one that was given out', [
  { field: 'cursor', code: 'invalid_cursor', message: 'is not one that was given out' },
])

const readCursor = (text: string): number | null => (/^\d{1,15}$/.test(text) ? Number(text) : null)
