import { existsSync, unlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { socketPathOf } from '../base/local-socket-path.ts'

/** What the device tells those who are on the same machine, by command. */
export type LocalAnswers = Record<string, () => unknown>

const maxLineBytes = 64 * 1024

/**
 * Opens the socket by which the machine's own people talk to the device, controller or not: a JSON object a line, `{"command":
 * "status"}`, answered by a line `{ok, output | error}`. Who may use it is decided by the folder's mode.
 */
export const openLocalSocket = async (
  wanted: string,
  answers: LocalAnswers,
): Promise<{ path: string; close(): Promise<void> }> => {
  const path = socketPathOf(wanted)
  // The journal's lock says that no other daemon of this device lives: what is there is left over.
  if (existsSync(path)) unlinkSync(path)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setEncoding('utf8')
    let text = ''
    socket.on('data', (part: string) => {
      text += part
      if (text.length > maxLineBytes) return void socket.destroy()
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        socket.write(`${JSON.stringify(answer(answers, text.slice(0, end)))}\n`)
        text = text.slice(end + 1)
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const answer = (answers: LocalAnswers, line: string): unknown => {
  try {
    const asked = JSON.parse(line) as { command?: unknown } // only its command is looked at, and that is checked
    const give = typeof asked?.command === 'string' && Object.hasOwn(answers, asked.command) ? answers[asked.command] : undefined
    if (!give)
      return { ok: false, error: { code: 'unknown_operation', message: `commands are ${Object.keys(answers).join(', ')}` } }
    return { ok: true, output: give() }
  } catch (error) {
    return {
      ok: false,
      error: {
        code: 'invalid',
        message: `a command is a JSON object on one line: ${error instanceof Error ? error.message : ''}`,
      },
    }
  }
}
