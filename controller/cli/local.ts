import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { socketPathOf } from '../../base/local-socket-path.ts'
import { pathsIn } from '../../base/paths.ts'
import { CliFailure, exitCodes, unreachable, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { factsOf } from './table.ts'

export interface LocalFlags extends GlobalFlags {
  device?: string
}

/** `local status`: what the device on this machine says of itself, with or without a controller. */
export const localStatus = async (io: Io, flags: LocalFlags): Promise<number> => {
  const status = await askLocal(deviceFolderOf(flags, io.env), { command: 'status' }, (flags.timeout ?? 10) * 1000)
  if (flags.json) printJson(io, status)
  else io.out(factsOf(Object.entries(status).map(([key, value]) => [key.replaceAll('_', ' '), textOf(value)] as const)))
  return exitCodes.done
}

/** `local metrics`: what the device on this machine counts, as Prometheus reads it. */
export const localMetrics = async (io: Io, flags: LocalFlags): Promise<number> => {
  const metrics = await askLocal(deviceFolderOf(flags, io.env), { command: 'metrics' }, (flags.timeout ?? 10) * 1000)
  if (flags.json) printJson(io, metrics)
  else io.out(String(metrics['text']))
  return exitCodes.done
}

const textOf = (value: unknown): string => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value))

/** The one device below the data folder, or the one that is named. */
const deviceFolderOf = (flags: LocalFlags, env: Io['env']): { name: string; socket: string } => {
  const paths = pathsIn(flags.data ?? env['SKEIN_DATA'] ?? '.skein')
  const names = existsSync(paths.devices) ? readdirSync(paths.devices) : []
  // Of several, those whose daemon has its socket there.
  const open = names.filter((one) => existsSync(socketPathOf(paths.device(one).socket)))
  const name = flags.device ?? (names.length === 1 ? names[0] : open.length === 1 ? open[0] : undefined)
  if (name === undefined) {
    const why =
      names.length === 0
        ? `there is no device below ${paths.devices}`
        : `there are several: ${names.join(', ')}; name one with --device`
    throw usageFailure(`Cannot tell which device is meant: ${why}`)
  }
  return { name, socket: socketPathOf(paths.device(name).socket) }
}

/** What one device of this machine says of itself. */
export const localStatusOf = (
  paths: ReturnType<typeof pathsIn>,
  name: string,
  timeoutMs: number,
): Promise<Record<string, unknown>> =>
  askLocal({ name, socket: socketPathOf(paths.device(name).socket) }, { command: 'status' }, timeoutMs)

const askLocal = (
  device: { name: string; socket: string },
  request: object,
  timeoutMs: number,
): Promise<Record<string, unknown>> =>
  new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      socket.destroy()
      reject(unreachable(`Cannot reach device "${device.name}" at ${device.socket}: ${reason}`))
    }
    const socket = connect(device.socket, () => socket.write(`${JSON.stringify(request)}\n`))
    let text = ''
    socket.setTimeout(timeoutMs, () => fail('no answer'))
    socket.setEncoding('utf8')
    socket.on('error', (error) =>
      fail('code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') ? 'it does not run' : error.message),
    )
    socket.on('end', () => fail('it hung up'))
    socket.on('data', (part: string) => {
      text += part
      if (!text.includes('\n')) return
      socket.destroy()
      const reply = JSON.parse(text) as { ok: boolean; output?: Record<string, unknown>; error?: { message: string } } // our own daemon's line
      if (reply.ok && reply.output) resolve(reply.output)
      else reject(new CliFailure(exitCodes.refused, 'refused', reply.error?.message ?? 'refused'))
    })
  })
