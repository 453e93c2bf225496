import type { Outcome } from '../../schemas/errors.ts'
import type { OperationName, OutputOf } from '../../schemas/operations.ts'
import type { Client } from './client.ts'
import { refusalFailure } from './exit.ts'
import type { GlobalFlags, Io } from './io.ts'

/** Connects, does one thing, and leaves. What a client needs is loaded only now: `--help` and completion do without. */
export const withClient = async <T>(io: Io, flags: GlobalFlags, act: (client: Client) => Promise<T>): Promise<T> => {
  const { connectClient } = await import('./connect.ts')
  const client = await connectClient(io, flags)
  try {
    return await act(client)
  } finally {
    await client.close()
  }
}

/** Asks, and takes nothing but an answer. */
export const askFor = async <N extends OperationName>(client: Client, operation: N, input: unknown): Promise<OutputOf<N>> =>
  taken(await client.ask(operation, input))

export const taken = <T>(outcome: Outcome<T>): T => {
  if (!outcome.ok) throw refusalFailure(outcome.error)
  return outcome.output
}

/** A task with all of its runs and its whole history, page by page. */
export const wholeTask = async (client: Client, taskId: string): Promise<OutputOf<'task.get'>> => {
  let task = await askFor(client, 'task.get', { task_id: taskId })
  while (task.cursor !== null) {
    const next = await askFor(client, 'task.get', { task_id: taskId, cursor: task.cursor })
    const history = [...task.history, ...next.history].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    task = { ...next, runs: [...task.runs, ...next.runs], history }
  }
  return task
}

/** Reads a list to its end or to `limit`, page by page: a page may be shorter than asked for. */
export const askPages = async <P extends { cursor: string | null }, T>(
  limit: number,
  page: (limit: number, cursor: string | undefined) => Promise<P>,
  itemsOf: (page: P) => readonly T[],
): Promise<T[]> => {
  const items: T[] = []
  let cursor: string | undefined
  while (items.length < limit) {
    const next = await page(limit - items.length, cursor)
    items.push(...itemsOf(next))
    if (next.cursor === null) break
    cursor = next.cursor
  }
  return items.slice(0, limit)
}
