import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually } from './eventually.ts'

export interface BrokerProcess {
  url: string
  /** kill -9. */
  kill(): Promise<void>
  signal(signal: NodeJS.Signals): void
  startAgain(): Promise<void>
  close(): Promise<void>
}

export interface BrokerCommand {
  program: string
  args: readonly string[]
  env?: Readonly<Record<string, string>>
  port: number
  /** Whether it listens too early: then this says when it answers. */
  answers?: () => Promise<boolean>
  withinMs?: number
}

/** A broker of somebody else as a process, until it answers; what it starts belongs to its group. */
export const startBrokerProcess = async (command: BrokerCommand): Promise<BrokerProcess> => {
  let said = ''
  const start = () => {
    const child = spawn(command.program, command.args, {
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4000)
      })
    return child
  }
  let child = start()
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // ESRCH: the whole group has ended
    }
  }
  const kill = async (): Promise<void> => {
    const exit = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    send('SIGKILL')
    await exit
  }
  const ready = async (): Promise<void> => {
    try {
      await eventually(
        `${command.program} answers`,
        async () => (await listens(command.port)) && (await (command.answers?.() ?? true)),
        command.withinMs,
      )
    } catch (error) {
      await kill()
      throw new Error(`${command.program} did not start: ${said}`, { cause: error })
    }
  }
  await ready()
  return {
    url: `mqtt://127.0.0.1:${command.port}`,
    kill,
    signal: (signal) => {
      child.kill(signal)
    },
    startAgain: async () => {
      child = start()
      await ready()
    },
    close: kill,
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
