import type { Timer } from '../../base/clock.ts'
import type { Client } from './client.ts'
import { CliFailure, exitCodeOfRun, exitCodes, unanswered, unreachable } from './exit.ts'
import type { TaskDetails } from './follow.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { plain } from './table.ts'
import { createTranscript } from './transcript.ts'
import { taken, withClient } from './with-client.ts'

export interface RunFlags extends GlobalFlags {
  device?: string
  selector?: string
  /** Seconds the work may take. */
  workTimeout?: number
  env?: Record<string, string>
  cwd?: string
  /** A workload in whose environment it runs. */
  within?: string
  detach?: boolean
  dryRun?: boolean
  priority?: string
  retries?: number
  name?: string
  tag?: string[]
}

/** What `run` submits: one word is a line for the shell, several are a program with its arguments. */
export const taskOfRun = (words: readonly string[], flags: RunFlags, key: string): Record<string, unknown> =>
  taskWith({ command: words.length === 1 ? words[0] : [...words] }, flags, key)

/** A task for this work, with all that the flags say about it. */
export const taskWith = (work: object, flags: RunFlags, key: string) => ({
  idempotency_key: key,
  source: 'cli',
  payload: {
    ...work,
    ...(flags.env ? { env: flags.env } : {}),
    ...(flags.cwd === undefined ? {} : { cwd: flags.cwd }),
    ...(flags.within === undefined ? {} : { within: flags.within }),
  },
  ...(flags.priority === undefined ? {} : { priority: flags.priority }),
  target: {
    ...(flags.device === undefined ? {} : { device: flags.device }),
    ...(flags.selector === undefined ? {} : { selector: flags.selector }),
  },
  options: {
    ...(flags.workTimeout === undefined ? {} : { timeout_seconds: flags.workTimeout }),
    ...(flags.retries === undefined ? {} : { retries: flags.retries }),
  },
  ...(flags.name === undefined ? {} : { metadata: { name: flags.name } }),
  ...(flags.tag ? { tags: flags.tag } : {}),
})

/** A connection that is back before is not missed. */
const noticeAfterMs = 1500

/** `skein run`: submits, follows the output as it comes, and ends as the program ended. */
export const run = (io: Io, flags: RunFlags, words: readonly string[]): Promise<number> =>
  withClient(io, flags, (client) => runWith(io, client, flags, words))

/** The same over a connection that is there. */
export const runWith = (io: Io, client: Client, flags: RunFlags, words: readonly string[]): Promise<number> =>
  runTask(io, client, flags, taskOfRun(words, flags, `run-${io.chance.ulid(io.clock.now())}`))

/** Submits a task, follows what it writes, and ends as it ended; or only tells what would become of it. */
export const runTask = async (
  io: Io,
  client: Client,
  flags: Pick<RunFlags, 'detach' | 'dryRun' | 'json'>,
  task: Record<string, unknown>,
): Promise<number> => {
  if (flags.dryRun) return import('./preview.ts').then((one) => one.previewTask(io, client, flags, task))
  const { followTask } = await import('./follow.ts')
  const leaving = createLeaving(io, client, flags.detach === true)
  let tell: (output: unknown) => void = () => undefined
  const submitted = client.ask('task.submit', task, flags.detach ? undefined : (output) => tell(output))
  const reply = await Promise.race([
    submitted.catch(unanswered('the task may have been accepted all the same: see "skein task list"')),
    leaving.left,
  ])
  if (reply === 'left') return exitCodes.interrupted
  const { task_id: taskId, ...rest } = taken(reply)
  if (flags.detach) {
    if (flags.json) printJson(io, { task_id: taskId, ...rest })
    else io.out(`${taskId}\n`)
    return exitCodes.done
  }
  leaving.submitted(taskId)

  const transcript = createTranscript(io, flags.json === true)
  const say = (text: string): void => (flags.json ? undefined : io.err(`skein: ${text}\n`))
  let isOver = false
  // A broker cuts off who does not keep up with a flood; what was missed is read afterwards, and a moment without it is no news.
  let notice: Timer | undefined
  client.bus.onDisconnect(() => {
    if (isOver) return
    notice?.cancel()
    notice = io.clock.after(noticeAfterMs, () => {
      if (!client.bus.isConnected()) say('the connection is lost, trying again')
    })
  })
  const following = followTask({
    client,
    io,
    taskId,
    onRecord: transcript.add,
    onWait: (reason) => say(`waiting: ${plain(reason)}`),
  })
  tell = following.tell
  const how = await Promise.race([following.done.catch((error: unknown) => goesOn(error, taskId)), leaving.left])
  isOver = true
  notice?.cancel()
  if (how === 'left') {
    following.done.catch(() => undefined) // nobody waits for it any more, and the connection closes under it
    return leaving.exitCode()
  }
  if (flags.json) printJson(io, { ...how, ...transcript.texts() })
  else if (how.state !== 'succeeded') sayEnd(io, how)
  return exitCodeOfRun(how)
}

/** We are out of reach, the work is not. */
const goesOn = (error: unknown, taskId: string): never => {
  if (!(error instanceof CliFailure) || error.exitCode !== exitCodes.unreachable) throw error
  throw unreachable(`${error.message}; task ${taskId} goes on: see "skein task get ${taskId}"`)
}

/** Says in one line what the exit status alone does not. */
const sayEnd = (io: Io, { task_id, state, reason, exit_code }: TaskDetails): void => {
  if (state === 'failed' && exit_code !== null && exit_code !== 126 && exit_code !== 127) return
  io.err(`skein: task ${task_id}: ${plain(reason ?? state)}\n`)
}

/** Ctrl-C cancels the task, and once more leaves it alone. A reader of the output who goes leaves too: the work goes on. */
const createLeaving = (io: Io, client: Client, isDetached: boolean) => {
  let leave: (how: 'left') => void = () => undefined
  const left = new Promise<'left'>((resolve) => {
    leave = resolve
  })
  let interrupts = 0
  let taskId: string | undefined
  let exitCode: number = exitCodes.interrupted

  const cancel = (id: string): void => {
    client.ask('task.cancel', { task_id: id }).then(
      (reply) => (reply.ok ? undefined : io.err(`skein: cannot cancel task ${id}: ${reply.error.message}\n`)),
      (error: unknown) =>
        io.err(`skein: cannot cancel task ${id}: ${error instanceof CliFailure ? error.message : String(error)}\n`),
    )
  }
  io.onInterrupt(() => {
    interrupts++
    if (interrupts === 1 && !isDetached) {
      io.err(`skein: cancelling${taskId ? ` task ${taskId}` : ''}; Ctrl-C again leaves it to itself\n`)
      if (taskId) cancel(taskId)
    } else {
      io.err(taskId ? `skein: left; see "skein task get ${taskId}"\n` : 'skein: left before the task was accepted\n')
      leave('left')
    }
  })
  io.onOutClosed(() => {
    if (taskId) io.err(`skein: nobody reads the output; the task goes on, see "skein task logs -f ${taskId}"\n`)
    exitCode = 141 // as of a program that SIGPIPE ended
    leave('left')
  })
  return {
    left,
    exitCode: () => exitCode,
    submitted: (id: string): void => {
      taskId = id
      if (interrupts > 0) cancel(id)
    },
  }
}
