import type { Task } from '../../../schemas/task.ts'
import { shellWord } from './shell-words.ts'

const usual = 120

/** What a task runs, in a few words: its title, if somebody gave it one. */
export const whatOf = ({ payload, metadata }: Pick<Task, 'payload' | 'metadata'>, most = usual): string => {
  const cut = (text: string): string => shortened(text, most)
  const title = metadata['title'] ?? metadata['name']
  if (typeof title === 'string' && title.trim() !== '') return cut(title)
  const { command, script, prompt, recipe, workload } = payload
  if (command !== undefined) return cut(typeof command === 'string' ? command : command.map(shellWord).join(' '))
  if (script !== undefined) return cut(firstLine(script))
  if (prompt !== undefined) return cut(prompt)
  return recipe !== undefined ? cut(`recipe ${recipe}`) : cut(`workload ${workload ?? ''}`)
}

/** The first line that says something: no shebang, no comment, no setting of the shell. */
const firstLine = (script: string): string =>
  script
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#') && !line.startsWith('set -')) ?? 'script'

const shortened = (text: string, most: number): string => {
  const flat = text
    .slice(0, 4 * most)
    .replace(/\s+/g, ' ')
    .trim()
  return flat.length > most ? `${flat.slice(0, most - 1)}…` : flat
}

/** Where a task is to run. */
export const targetWords = ({ device, selector, fanout }: Task['target']): string => {
  if (device !== undefined) return device
  const which = selector ? `that match ${selector}` : ''
  if (fanout === 'all') return which ? `all devices ${which}` : 'all devices'
  return which ? `any device that matches ${selector}` : 'any device'
}
