import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Plugins } from '../../base/plugins/plugins.ts'
import { type FileFault, type SourceFile, wholeFile } from '../../base/workload-files/file-faults.ts'
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
  plugins?: string
}

/** `validate`: reads workloads as a device would, and tells what they are or everything that is wrong with them. */
export const validate = async (io: Io, flags: ValidateFlags, paths: readonly string[]): Promise<number> => {
  const files = new Map<string, SourceFile>()
  const faults: FileFault[] = []
  for (const path of paths.length > 0 ? paths : [existsSync('workloads') ? 'workloads' : '.']) {
    if (!existsSync(path)) throw usageFailure(`Cannot read "${path}": no such file or folder`)
    const listed = listWorkloadFiles(path)
    if (listed.ok) for (const file of listed.files) files.set(resolve(file.path), file)
    else faults.push(...listed.faults)
  }
  const plugins = flags.plugins === undefined ? undefined : await pluginsIn(flags.plugins)
  faults.push(...(plugins?.shown ?? []).flatMap((one) => ('error' in one ? [brokenPlugin(one)] : [])))
  const env = { ...io.env, ...flags.env }
  const read = readWorkloadFiles([...files.values()], { env, device: deviceOf(flags), plugins: plugins?.known })
  if (!read.ok) faults.push(...read.faults)
  else if (read.workloads.length === 0 && faults.length === 0) throw usageFailure(`Cannot find a workload: ${whereLooked(paths)}`)
  tell(io, flags, read.ok && faults.length === 0 ? read.workloads : [], faults)
  return faults.length > 0 ? exitCodes.failed : exitCodes.done
}

const pluginsIn = async (folder: string): Promise<Plugins> => {
  if (!existsSync(folder)) throw usageFailure(`Cannot read "${folder}": no such folder`)
  const { loadPlugins } = await import('../../base/plugins/load.ts')
  return loadPlugins(folder)
}

const brokenPlugin = ({ file, error }: { file: string; error: string }): FileFault => ({
  ...{ file, line: null, field: wholeFile, code: 'broken_plugin' },
  message: error,
})

const whereLooked = (paths: readonly string[]): string =>
  `there is none in a *.yaml or *.yml of ${paths.length > 0 ? paths.map((path) => `"${path}"`).join(', ') : 'workloads/ or this folder'}`

const deviceOf = ({ device, label }: ValidateFlags) =>
  device === undefined && label === undefined
    ? undefined
    : { ...(device === undefined ? {} : { name: device }), labels: label ?? {} }

const tell = (io: Io, { json, plugins }: ValidateFlags, workloads: readonly ReadEntry[], faults: readonly FileFault[]): void => {
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
    for (const fault of faults) io.err(`${lineOf(fault, plugins !== undefined)}\n`)
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
const lineOf = ({ file, line, field, code, message, accepted }: FileFault, hasPlugins: boolean): string => {
  const at = line === null ? file : `${file}:${line}`
  const would = accepted && !accepted.every((one) => message.includes(one)) ? ` (accepted: ${accepted.join(', ')})` : ''
  return plain(`${at}: ${field}: ${message}${would}${helpFor(field, code, hasPlugins)}`)
}

const helpFor = (field: string, code: string, hasPlugins: boolean): string => {
  const isOfPlugin = code === 'unknown_plugin' || (code === 'invalid_value' && /(^|\.)type$/.test(field))
  if (isOfPlugin && !hasPlugins) return '; give --plugins DIR'
  if (code === 'needs_device') return '; give --device NAME or --label NAME=VALUE'
  return code === 'undefined_variable' && field.startsWith('env.')
    ? `; set it, or give --env ${field.slice('env.'.length)}=VALUE`
    : ''
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
