import type { TasksChange } from '../../../../schemas/dashboard.ts'
import type { Task } from '../../../../schemas/task.ts'
import { isOver } from '../../format/task-states.ts'

/** Rows with what has changed in them. When a task has ended is known only when it is asked for: until then, that was just now. */
export const withChanges = (rows: readonly Task[], { tasks }: TasksChange, at: string): readonly Task[] => {
  const changes = new Map(tasks.map((task) => [task.task_id as string, task]))
  return rows.map((row) => {
    const change = changes.get(row.task_id)
    if (!change) return row
    const { device, reason, attempt, exit_code } = change
    const state = change.state as Task['state'] // a word of the same list
    return { ...row, state, device, reason, attempt, exit_code, ended_at: row.ended_at ?? (isOver(state) ? at : null) }
  })
}

/** Whether a change is of tasks that are not shown, or leaves some out. */
export const hasUnknown = (rows: readonly Task[], { tasks, more }: TasksChange): boolean => {
  const known = new Set(rows.map((row) => row.task_id as string))
  return more > 0 || tasks.some((task) => !known.has(task.task_id))
}

/** The rows of which it is not known when they began, though a change says that they are not queued any more. */
export const lackStart = (rows: readonly Task[], { tasks }: TasksChange): readonly string[] => {
  const moved = new Set(tasks.filter((task) => task.state !== 'queued').map((task) => task.task_id))
  return rows.filter((row) => row.started_at === null && moved.has(row.task_id)).map((row) => row.task_id)
}

/** Rows after the first page, or some more, was read again: those that are shown as they are now, and those that are new, which stand before them. */
export const withFirstPage = (
  rows: readonly Task[],
  page: readonly Task[],
): { rows: readonly Task[]; fresh: readonly Task[] } => {
  const newest = new Map(page.map((task) => [task.task_id as string, task]))
  const known = new Set(rows.map((row) => row.task_id))
  return { rows: rows.map((row) => newest.get(row.task_id) ?? row), fresh: page.filter((task) => !known.has(task.task_id)) }
}
