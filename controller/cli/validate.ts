import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { FileFault, SourceFile } from '../../base/workload-files/file-faults.ts'
import { listWorkloadFiles } from '../../base/workload-files/list.ts'
import { type ReadEntry, readWorkloadFiles } from '../../base/workload-files/read.ts'
import { nextFiring } from '../../schemas/cron.ts'
import { instant } from '../../schemas/ids.ts'
import { exitCodes, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { plain, tableOf } from './table.ts'

export interface ValidateFlags extends GlobalFlags {
  device?: string
  label?: Record<string, string>
  env?: Record<string, string>
}

/** `validate`: reads workloads as a device would, and tells what they are or everything that is wrong with them. */
export const validate = (io: Io, flags: ValidateFlags, paths: readonly string[]): Promise<number> => {
  const files = new Map<string, SourceFile>()
  const faults: FileFault[] = []
  for (const path of paths.length > 0 ? paths : [existsSync('workloads') ? 'workloads' : '.']) {
    if (!existsSync(path)) throw usageFailure(`Cannot read "${path}": no such file or folder`)
    const listed = listWorkloadFiles(path)
    if (listed.ok) for (const file of listed.files) files.set(resolve(file.path), file)
    else faults.push(...listed.faults)
  }
  const read = readWorkloadFiles([...files.values()], { env: { ...io.env, ...flags.env }, device: deviceOf(flags) })
  if (!read.ok) faults.push(...read.faults)
  else if (read.workloads.length === 0 && faults.length === 0) throw usageFailure(`Cannot find a workload: ${whereLooked(paths)}`)
  tell(io, flags, read.ok && faults.length === 0 ? read.workloads : [], faults)
  return Promise.resolve(faults.length > 0 ? exitCodes.failed : exitCodes.done)
}

const whereLooked = (paths: readonly string[]): string =>
  `there is none in a *.yaml or *.yml of ${paths.length > 0 ? paths.map((path) => `"${path}"`).join(', ') : 'workloads/ or this folder'}`

const deviceOf = ({ device, label }: ValidateFlags) =>
  device === undefined && label === undefined
    ? undefined
    : { ...(device === undefined ? {} : { name: device }), labels: label ?? {} }

const tell = (io: Io, { json }: ValidateFlags, workloads: readonly ReadEntry[], faults: readonly FileFault[]): void => {
  const shown = workloads.map(({ spec, file }) => ({
    name: spec.name,
    type: spec.type,
    run_mode: spec.run_mode,
    schedule: spec.schedule ?? null,
    timezone: spec.timezone ?? null,
    next_at: nextAt(spec.schedule, spec.timezone, io.clock.now()),
    file,
  }))
  if (json) return printJson(io, { ok: faults.length === 0, count: shown.length, workloads: shown, faults })
  if (faults.length > 0) {
    for (const fault of faults) io.err(`${lineOf(fault)}\n`)
    return io.err(`skein: ${counted(faults.length, 'fault')}\n`)
  }
  io.out(`${counted(shown.length, 'workload')}, nothing wrong\n`)
  const rows = shown.map(({ name, type, run_mode, schedule, next_at, file }) => [
    name,
    type,
    run_mode,
    schedule ?? '-',
    next_at ?? '-',
    file,
  ])
  io.out(tableOf(['NAME', 'TYPE', 'MODE', 'SCHEDULE', 'NEXT', 'FILE'], rows, io.terminal))
}

const nextAt = (schedule: string | undefined, timezone: string | undefined, now: number): string | null => {
  const next = schedule === undefined ? undefined : nextFiring(schedule, timezone, now)
  return next === undefined ? null : instant(next)
}

/** One line for each, in the form that editors find their way by. */
const lineOf = ({ file, line, field, code, message, accepted }: FileFault): string => {
  const at = line === null ? file : `${file}:${line}`
  const would = accepted && !accepted.every((one) => message.includes(one)) ? ` (accepted: ${accepted.join(', ')})` : ''
  return plain(`${at}: ${field}: ${message}${would}${helpFor(field, code)}`)
}

const helpFor = (field: string, code: string): string => {
  if (code === 'needs_device') return '; give --device NAME or --label NAME=VALUE'
  return code === 'undefined_variable' && field.startsWith('env.')
    ? `; set it, or give --env ${field.slice('env.'.length)}=VALUE`
    : ''
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
