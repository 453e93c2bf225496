import { existsSync, readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { systemClock } from '../../base/clock.ts'
import { socketPathOf } from '../../base/local-socket-path.ts'
import { pathsIn } from '../../base/paths.ts'
import { type WireError, wireError } from '../../schemas/errors.ts'
import type { LocalRequest } from '../../schemas/local-requests.ts'
import { CliFailure, refusalFailure, unreachable, usageFailure } from './exit.ts'
import type { GlobalFlags, Io } from './io.ts'

export interface LocalFlags extends GlobalFlags {
  device?: string
}

export interface LocalDevice {
  name: string
  socket: string
}

const againMs = 50

/** The one device below the data folder, or the one that is named. */
export const deviceOf = (flags: LocalFlags, env: Io['env']): LocalDevice => {
  const data = flags.data ?? env['SKEIN_DATA'] ?? usualData()
  const paths = pathsIn(data)
  const names = existsSync(paths.devices) ? readdirSync(paths.devices) : []
  if (flags.device !== undefined && !names.includes(flags.device))
    throw usageFailure(
      `There is no device "${flags.device}" below ${paths.devices}${names.length > 0 ? `; there is ${names.join(', ')}` : ''}`,
    )
  // Of several, those whose daemon has its socket there.
  const open = names.filter((one) => existsSync(socketPathOf(paths.device(one).socket)))
  const name = flags.device ?? (names.length === 1 ? names[0] : open.length === 1 ? open[0] : undefined)
  if (name === undefined) {
    const why =
      names.length === 0
        ? `there is no device below ${paths.devices}; --data names the data folder`
        : `there are several: ${names.join(', ')}; name one with --device`
    throw usageFailure(`Cannot tell which device is meant: ${why}`)
  }
  return { name, socket: socketPathOf(paths.device(name).socket) }
}

/** That of this folder, or else that of the service. */
const usualData = (): string => (existsSync('.skein') || !existsSync('/var/lib/skein/devices') ? '.skein' : '/var/lib/skein')

/** Asks a device of this machine. One that has just died is waited for: somebody starts it again. */
export const askLocal = async (
  device: LocalDevice,
  request: { command: LocalRequest } & Readonly<Record<string, unknown>>,
  timeoutMs: number,
): Promise<unknown> => {
  for await (const line of linesFrom(device, request, timeoutMs, timeoutMs)) {
    if (line.ok) return line.output
    throw refusalFailure(line.error ?? wireError('internal', 'refused'))
  }
  throw unreachable(`Cannot reach device "${device.name}" at ${device.socket}: it hung up`)
}

/** The parts that a device gives for as long as somebody listens. */
export async function* followLocal(
  device: LocalDevice,
  request: { command: 'follow' } & Readonly<Record<string, unknown>>,
  timeoutMs: number,
): AsyncGenerator<unknown, void> {
  for await (const line of linesFrom(device, request, timeoutMs, 0)) {
    if (line.part !== undefined) yield line.part
    else if (line.ok === false) throw refusalFailure(line.error ?? wireError('internal', 'refused'))
    else return
  }
}

interface Line {
  ok?: boolean
  output?: unknown
  part?: unknown
  error?: WireError
}

async function* linesFrom(device: LocalDevice, request: object, timeoutMs: number, silentMs: number): AsyncGenerator<Line, void> {
  const socket = await reach(device, timeoutMs)
  socket.setTimeout(silentMs, () => socket.destroy(unreachable(`Device "${device.name}" does not answer`)))
  socket.write(`${JSON.stringify(request)}\n`)
  let text = ''
  try {
    for await (const part of socket.setEncoding('utf8')) {
      text += String(part)
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 1)
        yield JSON.parse(line) as Line // our own daemon's line
      }
    }
  } catch (error) {
    if (error instanceof CliFailure) throw error
    // The daemon has gone in the middle: like an end.
    if (!(error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE'))) throw error
  } finally {
    socket.destroy()
  }
}

const reach = async (device: LocalDevice, timeoutMs: number): Promise<Socket> => {
  const until = systemClock.mono() + timeoutMs
  let wasThere = false
  for (;;) {
    const reached = await tryConnect(device.socket)
    if (typeof reached !== 'string') return reached
    // A socket that nobody answers is what a killed daemon leaves; one that is not there, what one leaves that has ended.
    if (reached === 'ECONNREFUSED') wasThere = true
    const mayCome = wasThere && (reached === 'ECONNREFUSED' || reached === 'ENOENT')
    if (!mayCome || systemClock.mono() > until) {
      const why =
        reached === 'EACCES'
          ? 'permission denied; ask as the user that it runs as, or with sudo'
          : reached === 'ENOENT' || reached === 'ECONNREFUSED'
            ? 'it does not run'
            : reached
      throw unreachable(`Cannot reach device "${device.name}" at ${device.socket}: ${why}`)
    }
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
}

const tryConnect = (path: string): Promise<Socket | string> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.off('error', failed)
      resolve(socket)
    })
    const failed = (error: NodeJS.ErrnoException): void => resolve(error.code ?? error.message)
    socket.once('error', failed)
  })
