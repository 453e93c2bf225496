import { sleep } from '../../base/clock.ts'
import { createLogMerge, maxWaiting } from '../../base/log-merge.ts'
import { isMissing, type LogRecord, readRecords } from '../../schemas/log.ts'
import { readLogMessage } from '../../schemas/log-message.ts'
import { type OutputOf, operations } from '../../schemas/operations.ts'
import { isRunOver, type RunState, runStates } from '../../schemas/run-states.ts'
import type { Run } from '../../schemas/task.ts'
import { isTaskOver } from '../../schemas/task-states.ts'
import { topicOf } from '../../schemas/topics.ts'
import { type Bell, createBell } from './bell.ts'
import type { Client } from './client.ts'
import { refusalFailure } from './exit.ts'
import type { Io } from './io.ts'
import { wholeTask } from './with-client.ts'

export type TaskDetails = OutputOf<'task.get'>

export interface Following {
  /** What a push says about the task: taken if it is news, and asked for in any case. */
  tell(output: unknown): void
  /** Resolves when the task has ended and its output has been written; rejects when the controller stays out of reach. */
  done: Promise<TaskDetails>
}

interface Deps {
  client: Client
  io: Pick<Io, 'clock' | 'err'>
  taskId: string
  /** Only this run; otherwise all, a later attempt after an earlier one. */
  run?: string
  onRecord: (record: LogRecord) => void
  /** Told, once for each reason, why nothing runs yet. */
  onWait?: (reason: string) => void
}

/** Pushes make it quick, asking every so often makes it certain. */
const pollMs = 2000
/** How long the rest of a log may take after its run has ended: the device may be cut off, or gone. */
const restWithinMs = 60_000
const restOfLostWithinMs = 5000
const sayWaitAfterMs = 1500
/** How long what the controller fetches from a device is waited for, while none of it comes. */
const comingWithinMs = 15_000
const askAgainMs = 200

/** Follows a task to its end, with the output of its runs: nothing missing, nothing twice. */
export const followTask = (deps: Deps): Following => {
  const { client, io, taskId } = deps
  const bell = createBell(io.clock)
  let task: TaskDetails | undefined
  const logs = new Map<string, { done: Promise<void>; isDone: boolean; ring: () => void }>()

  // A reason that still holds at the next look is worth a line.
  let waitsFor: string | null = null
  let waitsSince = 0
  let said: string | null = null

  const tell = (output: unknown): void => {
    const read = operations['task.get'].output.safeParse(output)
    // Messages overtake each other, but nothing follows a task's end.
    // Of a wide fan-out a push holds only a part: the whole is asked for.
    if (read.success && read.data.cursor === null && !(task && isTaskOver(task.state))) task = read.data
    bell.ring()
  }

  const refresh = async (): Promise<TaskDetails> => {
    if (task && isTaskOver(task.state)) return task
    const whole = await wholeTask(client, taskId)
    tell(whole)
    return whole
  }

  const follow = async (): Promise<TaskDetails> => {
    for (;;) {
      const now = task && isTaskOver(task.state) ? task : await refresh()
      if (waitsFor !== null && now.reason === waitsFor && said !== waitsFor && io.clock.mono() - waitsSince >= sayWaitAfterMs) {
        said = waitsFor
        deps.onWait?.(waitsFor)
      }
      const waits = now.state === 'queued' ? now.reason : null
      if (waits !== waitsFor) waitsSince = io.clock.mono()
      waitsFor = waits
      const wanted = deps.run === undefined ? now.runs : now.runs.filter((run) => run.run_id === deps.run)
      const turn = runsInTurn(wanted, now.target.fanout === 'all', (run) => logs.get(run)?.isDone === true)
      for (const run of turn) {
        if (logs.has(run.run_id)) continue
        const runBell = createBell(io.clock)
        const current = (): Run | undefined => task?.runs.find((one) => one.run_id === run.run_id)
        const log = { isDone: false, ring: runBell.ring, done: Promise.resolve() }
        log.done = followRun(deps, run, current, runBell).then(() => {
          log.isDone = true
          bell.ring()
        })
        // Its failure is noticed in the race below, or the whole has failed already.
        log.done.catch(() => undefined)
        logs.set(run.run_id, log)
      }
      for (const log of logs.values()) log.ring()
      const isDrained = wanted.every((run) => logs.get(run.run_id)?.isDone)
      const named = wanted[0]
      if (isDrained && (isTaskOver(now.state) || (deps.run !== undefined && named && isOver(named)))) return now
      // A log that cannot be read any more ends the whole.
      await Promise.race([bell.wait(pollMs), ...[...logs.values()].filter((log) => !log.isDone).map((log) => log.done)])
    }
  }

  client.bus.onConnect(bell.ring)
  return { tell, done: follow() }
}

/** Which runs may be written now: of a fan-out each device's at once, otherwise one after the other. */
export const runsInTurn = <R extends Pick<Run, 'run_id' | 'attempt' | 'device'>>(
  runs: readonly R[],
  isFanout: boolean,
  isDone: (run: string) => boolean,
): R[] => {
  const lanes = new Map<string, R[]>()
  for (const run of [...runs].sort((a, b) => a.attempt - b.attempt)) {
    const lane = isFanout ? run.device : ''
    lanes.set(lane, [...(lanes.get(lane) ?? []), run])
  }
  return [...lanes.values()].flatMap((lane) => {
    const open = lane.findIndex((run) => !isDone(run.run_id))
    return open === -1 ? lane : lane.slice(0, open + 1)
  })
}

const isOver = (run: Pick<Run, 'state'>): boolean => {
  const state = runStates.find((one): one is RunState => one === run.state)
  return state !== undefined && isRunOver(state)
}

const followRun = async (
  { client, io, taskId, onRecord }: Deps,
  first: Run,
  current: () => Run | undefined,
  bell: Bell,
): Promise<void> => {
  const merge = createLogMerge()
  let movedAt = io.clock.mono()
  const write = (records: readonly LogRecord[]): void => {
    if (records.length > 0) movedAt = io.clock.mono()
    for (const record of records) onRecord(record)
  }
  /** A run that has ended has told how far its log goes. */
  const isAllWritten = (run: Run): boolean => isOver(run) && run.log !== null && merge.last() >= run.log.last_seq
  const topic = topicOf(client.fleet, 'deviceLog', { device: first.device, source: first.run_id })
  // Without the pushes it is only slower.
  client.bus
    .subscribe(topic, ({ payload }) => {
      const message = readLogMessage(payload)
      if (!message || message.head.last <= merge.last()) return
      // So far ahead the pages bring it in its turn: nothing is parsed twice, and the broker is not kept waiting.
      if (message.head.first > merge.last() + maxWaiting) return bell.ring()
      const records = readRecords(Buffer.from(message.records).toString('utf8'))
      if (!records) return
      write(merge.offer(records))
      if (merge.hasGap() || isAllWritten(current() ?? first)) bell.ring()
    })
    .catch(() => undefined)
  try {
    for (;;) {
      // Read before the page is asked for: what has ended by now has told all its numbers.
      const run = current() ?? first
      if (isAllWritten(run)) return
      const reply = await client.ask('task.logs', { task_id: taskId, run: first.run_id, after: merge.last(), limit: 10_000 })
      if (!reply.ok) throw refusalFailure(reply.error)
      const { records, next, complete, fetching } = reply.output
      const before = merge.last()
      if (fetching && io.clock.mono() - movedAt < comingWithinMs) {
        const hole = records.findIndex(isMissing)
        write(merge.offer(hole < 0 ? records : records.slice(0, hole)))
        await bell.wait(askAgainMs)
        continue
      }
      write(merge.offer(records))
      write(merge.skipTo(next))
      if (complete && merge.last() >= next) return
      if (isOver(run)) {
        if (isAllWritten(run)) return
        const patienceMs = run.state === 'lost' || run.state === 'rejected' ? restOfLostWithinMs : restWithinMs
        if (io.clock.mono() - movedAt > patienceMs) {
          io.err(
            `skein: the rest of the output of ${first.run_id} has not arrived from ${first.device}; "skein task logs ${taskId}" may have it later\n`,
          )
          return
        }
      }
      // A full page has more behind it; a gap is asked for again soon, since the missing may be on its way.
      if (merge.last() === before || records.length === 0) await (merge.hasGap() ? sleep(io.clock, 100) : bell.wait(pollMs))
    }
  } finally {
    client.bus.unsubscribe(topic)
  }
}
