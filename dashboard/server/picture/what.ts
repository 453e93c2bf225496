import type { Task } from '../../../schemas/task.ts'

const most = 120

/** What a task runs, in a few words. */
export const whatOf = ({ payload, metadata }: Pick<Task, 'payload' | 'metadata'>): string => {
  const title = metadata['title'] ?? metadata['name']
  if (typeof title === 'string' && title.trim() !== '') return cut(title)
  if (payload.command !== undefined) return cut(typeof payload.command === 'string' ? payload.command : payload.command.join(' '))
  if (payload.script !== undefined) return cut(firstLine(payload.script))
  if (payload.prompt !== undefined) return cut(payload.prompt)
  if (payload.recipe !== undefined) return cut(`recipe ${payload.recipe}`)
  return cut(`workload ${payload.workload ?? ''}`)
}

/** The first line that says something: no shebang, no comment, no setting of the shell. */
const firstLine = (script: string): string =>
  script
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#') && !line.startsWith('set -')) ?? 'script'

const cut = (text: string): string => {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat
}
