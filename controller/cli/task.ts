import { wireError } from '../../schemas/errors.ts'
import { readTask } from '../../schemas/task.ts'
import { isTaskOver } from '../../schemas/task-states.ts'
import { exitCodes, refusalFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { taskDetails, tasksTable } from './show.ts'
import { plain } from './table.ts'
import { completed, readTaskFile } from './task-files.ts'
import { askFor, askPages, wholeTask, withClient } from './with-client.ts'

export interface ListFlags extends GlobalFlags {
  limit?: number
}

/** `task list`: newest first. */
export const listTasks = (io: Io, flags: ListFlags, filters: Readonly<Record<string, string>>): Promise<number> =>
  withClient(io, flags, async (client) => {
    const tasks = await askPages(
      flags.limit ?? 50,
      (limit, cursor) => askFor(client, 'task.list', { ...filters, limit, ...(cursor ? { cursor } : {}) }),
      (page) => page.tasks,
    )
    if (flags.json) printJson(io, tasks)
    else io.out(tasksTable(tasks, io, io.clock.now()))
    return exitCodes.done
  })

export const getTask = (io: Io, flags: GlobalFlags, taskId: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const { cursor: _, ...task } = await wholeTask(client, taskId)
    if (flags.json) printJson(io, task)
    else io.out(taskDetails({ ...task, cursor: null }, io, io.clock.now()))
    return exitCodes.done
  })

/** `task cancel`: each of those named. */
export const cancelTasks = (io: Io, flags: GlobalFlags, taskIds: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const tasks = []
    for (const id of taskIds) {
      const task = await askFor(client, 'task.cancel', { task_id: id })
      tasks.push(task)
      if (!flags.json) io.out(`${id} ${task.state}${isTaskOver(task.state) ? '' : ' (cancel asked)'}\n`)
    }
    if (flags.json) printJson(io, tasks.length === 1 ? tasks[0] : tasks)
    return exitCodes.done
  })

/** `task say`: tells the agent of a task something while it works. */
export const sayToTask = (io: Io, flags: GlobalFlags, taskId: string, words: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const told = await askFor(client, 'task.say', { task_id: taskId, text: words.join(' ') })
    if (flags.json) printJson(io, told)
    else io.err(`skein: told the agent of ${plain(told.run)} on ${plain(told.device)}\n`)
    return exitCodes.done
  })

/** `task events`: what the agent of a task has done, an event to a line; with `--json` as one list. */
export const showEvents = (io: Io, flags: GlobalFlags & { run?: string; after?: number }, taskId: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const about = { task_id: taskId, ...(flags.run === undefined ? {} : { run: flags.run }) }
    const all: unknown[] = []
    for (let after = flags.after ?? 0; ; ) {
      const page = await askFor(client, 'task.events', { ...about, after, limit: 1000 })
      if (flags.json) all.push(...page.events)
      else for (const event of page.events) io.out(`${JSON.stringify(event)}\n`)
      if (page.events.length === 0 || page.next <= after) break
      after = page.next
    }
    if (flags.json) printJson(io, all)
    return exitCodes.done
  })

/** `task retry`: a new task with the work of one that has ended. */
export const retryTask = (io: Io, flags: GlobalFlags, taskId: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const key = `retry-${io.chance.ulid(io.clock.now())}`
    const task = await askFor(client, 'task.retry', { task_id: taskId, idempotency_key: key })
    if (flags.json) printJson(io, task)
    else io.out(`${task.task_id}\n`)
    return exitCodes.done
  })

/** `task submit`: prints an id for each task that was accepted; of a list with a fault in it none is sent. */
export const submitTasks = async (io: Io, flags: GlobalFlags, file: string): Promise<number> => {
  const { tasks, isList } = await readTaskFile(io, file)
  return withClient(io, flags, async (client) => {
    const submit = (task: (typeof tasks)[number]) =>
      client.ask(
        'task.submit',
        completed(task, () => `cli-${io.chance.ulid(io.clock.now())}`),
      )
    if (!isList && tasks[0]) {
      const reply = await submit(tasks[0])
      if (!reply.ok) throw refusalFailure(reply.error)
      if (flags.json) printJson(io, reply.output)
      else io.out(`${reply.output.task_id}\n`)
      return exitCodes.done
    }
    // All or nothing: what is wrong with one of them is known before the first is sent.
    const reads = tasks.map((task) => readTask(task))
    if (reads.some((read) => !read.ok)) {
      const errors = reads.map((read) =>
        read.ok ? wireError('conflict', 'not sent: another task of the list is wrong') : read.error,
      )
      if (flags.json)
        printJson(
          io,
          errors.map((error) => ({ error })),
        )
      else
        reads.forEach((read, i) =>
          read.ok ? undefined : io.err(`skein: task ${i + 1} of ${tasks.length}: ${read.error.message}\n`),
        )
      if (!flags.json) io.err('skein: none was sent\n')
      return exitCodes.refused
    }
    const replies = await inGroups(tasks, 50, submit)
    let exitCode: number = exitCodes.done
    replies.forEach((reply, i) => {
      if (!reply.ok) exitCode = Math.max(exitCode, refusalFailure(reply.error).exitCode)
      if (flags.json) return
      if (reply.ok) io.out(`${reply.output.task_id}\n`)
      else io.err(`skein: task ${i + 1}: ${reply.error.message}\n`)
    })
    if (flags.json)
      printJson(
        io,
        replies.map((reply) => (reply.ok ? reply.output : { error: reply.error })),
      )
    return exitCode
  })
}

const inGroups = async <T, R>(items: readonly T[], size: number, act: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  for (let i = 0; i < items.length; i += size) results.push(...(await Promise.all(items.slice(i, i + size).map(act))))
  return results
}
