import type { OutputOf } from '../../schemas/operations.ts'
import type { Client } from './client.ts'
import { exitCodes, refusalFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { plain, tableOf } from './table.ts'
import { readTaskFile, type TaskDraft } from './task-files.ts'
import { askFor, withClient } from './with-client.ts'

type Preview = OutputOf<'task.preview'>

/** `--dry-run`: which devices would take a task; succeeds if it would be accepted. */
export const previewTask = async (io: Io, client: Client, flags: Pick<GlobalFlags, 'json'>, task: TaskDraft): Promise<number> => {
  const preview = await askFor(client, 'task.preview', task)
  if (flags.json) printJson(io, preview)
  else io.out(previewDetails(preview, io))
  return preview.acceptable ? exitCodes.done : exitCodes.refused
}

/** `task submit --dry-run`: the same for each task of a file. */
export const previewFile = async (io: Io, flags: GlobalFlags, file: string): Promise<number> => {
  const { tasks, isList } = await readTaskFile(io, file)
  return withClient(io, flags, async (client) => {
    const [first] = tasks
    if (!isList && first) return previewTask(io, client, flags, first)
    let exitCode: number = exitCodes.done
    const answers: unknown[] = []
    for (const [i, task] of tasks.entries()) {
      const reply = await client.ask('task.preview', task)
      if (!reply.ok) exitCode = Math.max(exitCode, refusalFailure(reply.error).exitCode)
      else if (!reply.output.acceptable) exitCode = Math.max(exitCode, exitCodes.refused)
      answers.push(reply.ok ? reply.output : { error: reply.error })
      if (flags.json) continue
      const which = `task ${i + 1} of ${tasks.length}`
      if (reply.ok) io.out(`${i > 0 ? '\n' : ''}${which}: ${previewDetails(reply.output, io)}`)
      else io.err(`skein: ${which}: ${plain(reply.error.message)}\n`)
    }
    if (flags.json) printJson(io, answers)
    return exitCode
  })
}

/** What would become of a task, for people. */
export const previewDetails = (preview: Preview, io: Pick<Io, 'terminal'>): string => {
  const { matching, others } = preview
  const takers = matching.map((one) => [one.device, one.state, String(one.free), one.waits ?? '-'])
  const rest = others.map((one) => [one.device, one.why])
  return [
    `${plain(preview.says)}\n`,
    ...(takers.length > 0 ? ['\n', tableOf(['DEVICE', 'STATE', 'FREE', 'WAITS'], takers, io.terminal)] : []),
    more(preview.matching_count - matching.length),
    ...(rest.length > 0 ? ['\n', tableOf(['NOT ON', 'BECAUSE'], rest, io.terminal)] : []),
    more(preview.other_count - others.length),
  ].join('')
}

const more = (count: number): string => (count > 0 ? `and ${count} more\n` : '')
