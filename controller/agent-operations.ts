import type { Chance } from '../base/chance.ts'
import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import { instant } from '../schemas/ids.ts'
import { isDrop, type LogRecord } from '../schemas/log.ts'
import { maxOutputBytes } from '../schemas/request.ts'
import { isRunOver } from '../schemas/run-states.ts'
import { eventsOf } from '../schemas/sources.ts'
import { isTaskOver } from '../schemas/task-states.ts'
import type { DeviceAsking } from './device-asking.ts'
import type { Effects } from './effects.ts'
import type { Handlers } from './handlers.ts'
import type { Reading } from './reading/reading.ts'
import type { RunRow } from './store/runs.ts'
import type { Store } from './store/store.ts'

export interface AgentOperationsDeps {
  store: Store
  reading: Reading
  asking: DeviceAsking
  effects: Effects
  commits: GroupCommit
  clock: Clock
  chance: Chance
}

const sayWithinMs = 20_000

/** What people ask of agents at work: to see what they do, and to tell them something. */
export const agentOperations = (deps: AgentOperationsDeps): Pick<Handlers, 'task.events' | 'task.say' | 'agent.usage'> => {
  const { store, reading, asking, effects, commits, clock, chance } = deps

  const runOf = (taskId: string, named?: string): Outcome<{ run: RunRow | undefined; isOver: boolean }> => {
    const task = store.tasks.get(taskId)
    if (!task)
      return refused('not_found', `there is no task "${taskId}"`, [
        { field: 'task_id', code: 'not_found', message: 'names no task' },
      ])
    const runs = store.runs.ofTask(taskId)
    const run = named === undefined ? runs.at(-1) : runs.find((one) => one.run_id === named)
    if (!run && named !== undefined) return refused('not_found', `task ${taskId} has no run "${named}"`)
    return accepted({ run, isOver: isTaskOver(task.state) })
  }

  return {
    'task.events': async (_, input) => {
      const found = runOf(input.task_id, input.run)
      if (!found.ok) return found
      const { run, isOver } = found.output
      if (!run) return accepted({ run: null, device: null, events: [], next: input.after, complete: isOver })
      const source = eventsOf(run.run_id)
      const { after, limit } = input
      const window = {
        after,
        limit,
        maxBytes: maxOutputBytes * 0.8,
        before: undefined,
        since: undefined,
        until: undefined,
        tail: undefined,
      }
      const { records, next } = await reading.log(source, window)
      const upTo = Math.max(next, records.at(-1)?.[0] ?? 0, after)
      // What its end tells of its events may come before they do.
      const last = Math.max(store.logs.extent(source).last_seq, lastOf(run))
      return accepted({
        ...{ run: run.run_id, device: run.device, events: records.map(eventOf), next: upTo },
        complete: isRunOver(run.state) && upTo >= last,
      })
    },
    'agent.usage': async (_, { since, until }) => {
      const from = since === undefined ? 0 : Date.parse(since)
      const to = until === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(until)
      return accepted({ usage: await reading.agentUsage(from, to) })
    },
    'task.say': async (asker, { task_id: taskId, text }) => {
      const found = runOf(taskId)
      if (!found.ok) return found
      const { run } = found.output
      if (!run || isRunOver(run.state))
        return refused('conflict', `nothing of task ${taskId} goes on: there is nobody to tell`, [
          { field: 'task_id', code: 'terminal_state', message: 'has no run that goes on' },
        ])
      const body = { request: chance.ulid(clock.now()), run: run.run_id, text, by: asker.subject }
      const outcome = await asking.ask({ device: run.device, what: 'say', body, withinMs: sayWithinMs })
      const about = { subject: asker.subject, operation: 'task.say', task_id: taskId, run_id: run.run_id, device: run.device }
      return commits.run(() => {
        effects.event('audit', 'skein.audit.task_say', asker.subject, {
          ...about,
          result: outcome.ok ? 'done' : outcome.error.code,
        })
        return outcome
      })
    },
  }
}

const eventOf = ([seq, at, , text]: LogRecord) => {
  const about = { seq, at: instant(at) }
  if (isDrop(text)) return { ...about, type: 'dropped', ...text.dropped }
  return typeof text === 'object' ? { ...about, ...(text as { type: string }) } : { ...about, type: 'output', text }
}

const lastOf = ({ agent }: RunRow): number => (agent === null ? 0 : ((JSON.parse(agent) as { events?: number }).events ?? 0)) // stored from a checked report
