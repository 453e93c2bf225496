import { resolve } from 'node:path'
import { socketPathOf } from '../../base/local-socket-path.ts'
import type { pathsIn } from '../../base/paths.ts'
import type { LocalRequest } from '../../schemas/local-requests.ts'
import type { ReloadDiff, WorkloadStatus } from '../../schemas/workload-status.ts'
import { CliFailure, exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { askLocal, deviceOf, type LocalFlags } from './local-door.ts'
import { type LocalWorkload, localDetails, localTable, runsTable } from './local-show.ts'
import { factsOf } from './table.ts'
import { reloadLines, workloadLine } from './workload-show.ts'

const timeoutMsOf = (flags: GlobalFlags): number => (flags.timeout ?? 10) * 1000

/** Asks, and says the answer as JSON or as the text that is made of it. */
const told = async (
  io: Io,
  flags: LocalFlags,
  request: { command: LocalRequest } & Readonly<Record<string, unknown>>,
  text: (output: unknown) => string,
): Promise<number> => {
  const output = await askLocal(deviceOf(flags, io.env), request, timeoutMsOf(flags))
  if (flags.json) printJson(io, output)
  else io.out(text(output))
  return exitCodes.done
}

/** `local status`: what the device on this machine says of itself, or of workloads, with or without a controller. */
export const localStatus = async (io: Io, flags: LocalFlags, names: readonly string[] = []): Promise<number> => {
  if (names.length === 0) return told(io, flags, { command: 'status' }, (status) => factsOf(pairsOf(status)))
  const device = deviceOf(flags, io.env)
  const shown: LocalWorkload[] = []
  for (const workload of names)
    shown.push((await askLocal(device, { command: 'get', workload }, timeoutMsOf(flags))) as LocalWorkload) // our own daemon's answer
  if (flags.json) printJson(io, names.length === 1 ? shown[0] : shown)
  else io.out(shown.map((one) => localDetails(one, io.clock.now())).join('\n'))
  return exitCodes.done
}

/** `local metrics`: what the device on this machine counts, as Prometheus reads it. */
export const localMetrics = (io: Io, flags: LocalFlags): Promise<number> =>
  told(io, flags, { command: 'metrics' }, (metrics) => String((metrics as { text: string }).text)) // our own daemon's answer

/** `local list`: the workloads of the device. */
export const localList = async (io: Io, flags: LocalFlags): Promise<number> => {
  const { workloads } = (await askLocal(deviceOf(flags, io.env), { command: 'list' }, timeoutMsOf(flags))) as {
    workloads: WorkloadStatus[]
  } // our own daemon's answer
  if (flags.json) printJson(io, workloads)
  else if (workloads.length === 0 && io.terminal) io.out('no workloads yet; apply some with: skein local apply <folder>\n')
  else io.out(localTable(workloads, io, io.clock.now()))
  return exitCodes.done
}

/** `local start`, `stop` and `restart`. */
export const localChange = async (
  io: Io,
  flags: LocalFlags,
  command: 'start' | 'stop' | 'restart',
  names: readonly string[],
): Promise<number> => {
  const device = deviceOf(flags, io.env)
  const changed: WorkloadStatus[] = []
  for (const workload of names) {
    // An answer may wait for the grace of what is stopped.
    const status = (await askLocal(device, { command, workload }, Math.max(20_000, timeoutMsOf(flags)))) as WorkloadStatus // our own daemon's answer
    changed.push(status)
    if (!flags.json) io.out(workloadLine(device.name, status))
  }
  if (flags.json) printJson(io, changed)
  return exitCodes.done
}

/** `local apply` and `local reload`: what became of each workload. */
export const localApply = async (
  io: Io,
  flags: LocalFlags & { dryRun?: boolean },
  paths: readonly string[] | null,
): Promise<number> => {
  const given =
    paths === null ? { command: 'reload' as const } : { command: 'apply' as const, paths: paths.map((path) => resolve(path)) }
  const request = { ...given, ...(flags.dryRun ? { dry_run: true } : {}) }
  const device = deviceOf(flags, io.env)
  const diff = (await askLocal(device, request, Math.max(30_000, timeoutMsOf(flags)))) as ReloadDiff // our own daemon's answer
  if (flags.json) printJson(io, diff)
  else io.out(`${flags.dryRun ? 'this would change:\n' : ''}${reloadLines(diff)}`)
  return exitCodes.done
}

export const localDelete = async (io: Io, flags: LocalFlags, names: readonly string[]): Promise<number> => {
  const device = deviceOf(flags, io.env)
  const gone: unknown[] = []
  for (const workload of names) {
    gone.push(await askLocal(device, { command: 'delete', workload }, Math.max(20_000, timeoutMsOf(flags))))
    if (!flags.json) io.out(`deleted: ${workload}\n`)
  }
  if (flags.json) printJson(io, gone)
  return exitCodes.done
}

/** `local history`: the last runs of a workload. */
export const localHistory = (io: Io, flags: LocalFlags & { limit?: number }, workload: string): Promise<number> =>
  askLocal(deviceOf(flags, io.env), { command: 'get', workload, history: flags.limit ?? 20 }, timeoutMsOf(flags)).then(
    (output) => {
      const { runs } = output as LocalWorkload // our own daemon's answer
      if (flags.json) printJson(io, runs)
      else io.out(runsTable(runs, io, io.clock.now()))
      return exitCodes.done
    },
  )

/** `local shutdown`: everything that the device runs ends, and the daemon with it; done when it is gone. */
export const localShutdown = async (io: Io, flags: LocalFlags): Promise<number> => {
  const device = deviceOf(flags, io.env)
  const answer = (await askLocal(device, { command: 'shutdown' }, timeoutMsOf(flags))) as { pid: number } // our own daemon's answer
  const until = io.clock.mono() + Math.max(120_000, timeoutMsOf(flags))
  if (!flags.json) io.err(`device ${device.name} ends what it runs…\n`)
  while (isAlive(answer.pid)) {
    if (io.clock.mono() > until)
      throw new CliFailure(exitCodes.failed, 'failed', `Device "${device.name}" still runs, as pid ${answer.pid}`)
    await new Promise((resolve_) => setTimeout(resolve_, 50))
  }
  if (flags.json) printJson(io, { device: device.name, ended: true })
  else io.out(`device ${device.name} has ended\n`)
  return exitCodes.done
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

const pairsOf = (facts: unknown) =>
  Object.entries(facts as Record<string, unknown>).map(([key, value]) => [key.replaceAll('_', ' '), textOf(value)] as const) // an object, by its command
const textOf = (value: unknown): string => (typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value))

/** What one device of this machine says of itself. */
export const localStatusOf = async (
  paths: ReturnType<typeof pathsIn>,
  name: string,
  timeoutMs: number,
): Promise<Record<string, unknown>> =>
  (await askLocal({ name, socket: socketPathOf(paths.device(name).socket) }, { command: 'status' }, timeoutMs)) as Record<
    string,
    unknown
  > // our own daemon's answer
