import { chmodSync, existsSync, unlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { socketPathOf } from '../base/local-socket-path.ts'
import { type Outcome, refused } from '../schemas/errors.ts'
import { nearest, refusalOf } from '../schemas/faults.ts'
import {
  isLocalRequest,
  type LocalRequest,
  type LocalRequestInput,
  localRequestNames,
  localRequests,
} from '../schemas/local-requests.ts'

/** What answers those who are on the same machine; a refusal is a value. */
export type LocalAnswers = {
  [R in Exclude<LocalRequest, 'follow'>]: (input: LocalRequestInput<R>) => Outcome<unknown> | Promise<Outcome<unknown>>
}
/** Gives parts until the signal says that nobody listens any more; or a refusal. */
export type LocalFollow = (input: LocalRequestInput<'follow'>, signal: AbortSignal) => AsyncGenerator<unknown, Outcome<unknown>>

const maxLineBytes = 64 * 1024

/**
 * Opens the socket by which the machine's own people talk to the device, controller or not (schemas/local-requests.ts). Who may
 * use it is decided by its own mode, and the folder's.
 */
export const openLocalSocket = async (
  wanted: string,
  answers: LocalAnswers,
  follow: LocalFollow,
): Promise<{ path: string; close(): Promise<void> }> => {
  const path = socketPathOf(wanted)
  // The journal's lock says that no other daemon of this device lives: what is there is left over.
  if (existsSync(path)) unlinkSync(path)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const gone = new AbortController()
    let text = ''
    let isLost = false
    // One after the other: the answers come in the order of the questions.
    let turn: Promise<void> = Promise.resolve()
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => {
      if (isLost) return
      text += part
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        turn = turn.then(() => (gone.signal.aborted ? undefined : reply(socket, line, gone.signal)))
      }
      if (text.length <= maxLineBytes) return
      // Without its end nothing behind it can be understood. It is read all the same, or who writes it does not come to reading the answer.
      isLost = true
      text = ''
      const tooLong = refused('too_large', `a command is at most ${maxLineBytes} bytes long`)
      turn = turn.then(() => void socket.end(`${JSON.stringify(tooLong)}\n`))
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      gone.abort()
      sockets.delete(socket)
    })
  })

  const reply = async (socket: Socket, line: string, signal: AbortSignal): Promise<void> => {
    const say = (value: unknown): boolean => socket.writable && socket.write(`${JSON.stringify(value)}\n`)
    try {
      const read = readQuestion(line)
      if (!read.ok) return void say(read)
      if (read.name !== 'follow') return void say(await ask(answers, read.name, read.input))
      const parts = follow(read.input as LocalRequestInput<'follow'>, signal) // read by the schema of this very name
      for (let next = await parts.next(); ; next = await parts.next()) {
        if (next.done) return void say(next.value)
        if (!say({ part: next.value })) await drained(socket, signal)
      }
    } catch (error) {
      say(refused('internal', error instanceof Error ? error.message : String(error)))
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  // Whatever the umask, and where its path was too long for its own folder.
  chmodSync(path, 0o600)
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const ask = (answers: LocalAnswers, name: Exclude<LocalRequest, 'follow'>, input: unknown) => answers[name](input as never) // read by the schema of the same name

const drained = (socket: Socket, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted || !socket.writableNeedDrain) return resolve()
    const done = (): void => {
      socket.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    socket.once('drain', done)
    signal.addEventListener('abort', done)
  })

type Question = { ok: true; name: LocalRequest; input: unknown } | ReturnType<typeof refused>

const readQuestion = (line: string): Question => {
  let asked: unknown
  try {
    asked = JSON.parse(line)
  } catch (error) {
    return refused('invalid', `a command is a JSON object on one line: ${error instanceof Error ? error.message : ''}`)
  }
  const { command: name, ...input } = typeof asked === 'object' && asked !== null ? (asked as Record<string, unknown>) : {} // any object
  if (typeof name !== 'string' || !isLocalRequest(name)) {
    const near = typeof name === 'string' ? nearest(name, localRequestNames) : undefined
    const hint = near ? `did you mean "${near}"?` : `commands are ${localRequestNames.join(', ')}`
    return refused('unknown_operation', `there is no command ${JSON.stringify(name) ?? '(none)'}; ${hint}`)
  }
  const read = localRequests[name].safeParse(input, { reportInput: true })
  return read.success ? { ok: true, name, input: read.data } : refusalOf(name, read.error, Object.keys(localRequests[name].shape))
}
