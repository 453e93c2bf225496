import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { usageFailure } from './exit.ts'
import type { Io } from './io.ts'

const maxFileBytes = 256 * 1024

export type TaskDraft = Readonly<Record<string, unknown>>

/** Reads tasks from a file or, for `-`, from standard input: JSON or YAML, one task or a list of them. */
export const readTaskFile = async (io: Pick<Io, 'readStdin'>, file: string): Promise<{ tasks: TaskDraft[]; isList: boolean }> => {
  const name = file === '-' ? 'the standard input' : `"${file}"`
  const value = parsed(file === '-' ? await io.readStdin(maxFileBytes) : readLimited(file), name)
  const isList = Array.isArray(value)
  const tasks: unknown[] = isList ? value : [value]
  if (!tasks.every(isDraft))
    throw usageFailure(`Cannot read tasks from ${name}: it must hold a task (keys and values) or a list of tasks`)
  return { tasks, isList }
}

/** What the CLI adds to a task: where it came from, and a key, so that it can be sent again until it is answered. */
export const completed = (task: TaskDraft, newKey: () => string): TaskDraft => ({
  source: 'cli',
  ...task,
  idempotency_key: task['idempotency_key'] ?? newKey(),
})

const isDraft = (value: unknown): value is TaskDraft => typeof value === 'object' && value !== null && !Array.isArray(value)

const readLimited = (file: string): string => {
  try {
    const { size } = statSync(file)
    if (size > maxFileBytes) throw usageFailure(`Cannot read "${file}": it has ${size} bytes, more than ${maxFileBytes}`)
    const bytes = readFileSync(file)
    if (!isUtf8(bytes)) throw usageFailure(`Cannot read "${file}": it is not UTF-8`)
    return bytes.toString('utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw usageFailure(`Cannot read "${file}": no such file`)
    throw error instanceof Error && 'syscall' in error ? usageFailure(`Cannot read "${file}": ${error.message}`) : error
  }
}

const parsed = (text: string, name: string): unknown => {
  try {
    // Numbers and text as JSON has them; an alias could make a small file huge.
    return parse(text, { maxAliasCount: 100 })
  } catch (error) {
    throw usageFailure(`Cannot read ${name}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`)
  }
}
