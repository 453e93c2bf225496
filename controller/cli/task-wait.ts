import { isTaskOver } from '../../schemas/task-states.ts'
import { filterOf } from '../../schemas/topics.ts'
import { createBell } from './bell.ts'
import { exitCodes } from './exit.ts'
import type { TaskDetails } from './follow.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { askFor, withClient } from './with-client.ts'

/** `task wait`: says how each task ended, as it ends. */
export const waitForTasks = (io: Io, flags: GlobalFlags, taskIds: readonly string[]): Promise<number> =>
  withClient(io, flags, async (client) => {
    const bells = new Map(taskIds.map((id) => [id, createBell(io.clock)]))
    client.bus
      .subscribe(filterOf(client.fleet, 'event', { kind: 'task' }), ({ payload }) => {
        const text = Buffer.from(payload).toString('utf8')
        for (const [id, bell] of bells) if (text.includes(id)) bell.ring()
      })
      // A token that may not read events is only slower: it asks every so often.
      .catch(() => undefined)
    const waitFor = async (id: string): Promise<TaskDetails> => {
      for (;;) {
        const task = await askFor(client, 'task.get', { task_id: id })
        if (isTaskOver(task.state)) {
          if (!flags.json) io.out(`${id} ${task.state}${task.reason ? ` (${task.reason})` : ''}\n`)
          return task
        }
        await bells.get(id)?.wait(2000)
      }
    }
    const tasks = await Promise.all(taskIds.map(waitFor))
    if (flags.json) printJson(io, tasks)
    return tasks.every((task) => task.state === 'succeeded') ? exitCodes.done : exitCodes.failed
  })
