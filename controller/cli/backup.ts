import { existsSync, statSync } from 'node:fs'
import type { Manifest } from '../backup/manifest.ts'
import { CliFailure, exitCodes, usageFailure } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { mustBeFile, mustTakeFile } from './paths.ts'
import { factsOf } from './table.ts'

export interface BackupFlags extends GlobalFlags {
  /** `--no-logs` sets it to false. */
  logs?: boolean
}
export interface RestoreFlags extends GlobalFlags {
  force?: boolean
  dryRun?: boolean
  runWaiting?: boolean
}

/** `backup`: one file with what the controller needs to come back. It reads the data folder, and asks nobody. */
export const backup = async (io: Io, flags: BackupFlags, file: string): Promise<number> => {
  const data = dataOf(io, flags)
  if (!existsSync(data)) throw usageFailure(`There is no data folder "${data}"; name one with --data`)
  mustTakeFile('backup', file)
  const { makeBackup } = await import('../backup/backup.ts')
  const shown = progressOn(io, flags)
  const manifest = await trying('backup_failed', () =>
    makeBackup({ data, file, logs: flags.logs !== false, now: () => io.clock.now(), progress: shown.show }),
  )
  shown.end()
  const bytes = statSync(file).size
  if (flags.json) printJson(io, { file, bytes, ...manifest })
  else io.out(`${file}: ${facts(manifest, bytes)}\n`)
  return exitCodes.done
}

/** `restore`: the other way round. */
export const restore = async (io: Io, flags: RestoreFlags, file: string): Promise<number> => {
  const data = dataOf(io, flags)
  mustBeFile('restore', file)
  const { checkBackup, restoreBackup } = await import('../backup/restore.ts')
  if (flags.dryRun) {
    const manifest = await trying('restore_failed', async () => checkBackup(file))
    if (flags.json) printJson(io, { file, dry_run: true, ...manifest })
    else
      io.out(
        factsOf([
          ['backup', `${facts(manifest, statSync(file).size)}, nothing is damaged`],
          ['version', manifest.version],
          ['epoch', manifest.epoch],
          ...manifest.files.map((one) => ['file', `${one.path}, ${one.bytes} bytes`] as const),
        ]),
      )
    return exitCodes.done
  }
  const done = await trying('restore_failed', async () =>
    restoreBackup({
      file,
      data,
      force: flags.force ?? false,
      runWaiting: flags.runWaiting ?? false,
      now: io.clock.now(),
      pid: process.pid,
    }),
  )
  if (!done.ok) throw new CliFailure(exitCodes.refused, done.why, `Cannot restore: ${done.reason}`)
  if (flags.json) printJson(io, { file, data, aside: done.aside, ...done.manifest })
  else {
    io.out(`${data} is as it was at ${done.manifest.at}: ${done.manifest.tasks} tasks\n`)
    if (done.aside !== null) io.out(`what was there is in ${done.aside}\n`)
  }
  return exitCodes.done
}

const dataOf = (io: Io, flags: GlobalFlags): string => flags.data ?? (io.env['SKEIN_DATA']?.trim() || '.skein')

const facts = (manifest: Manifest, bytes: number): string =>
  `${manifest.tasks} tasks${manifest.logs ? '' : ', without logs'}, as of ${manifest.at}, ${bytes} bytes`

/** What went wrong is told in a line, not as a fault of Skein. */
const trying = async <T>(code: string, act: () => Promise<T>): Promise<T> => {
  try {
    return await act()
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
    throw new CliFailure(exitCodes.failed, code, (error instanceof Error ? error.message : String(error)) + why)
  }
}

/** How far it is, on a terminal only. */
const progressOn = (io: Io, flags: GlobalFlags) => {
  const isShown = io.terminal !== undefined && !flags.json
  return {
    show: (name: string, part: number): void => {
      if (isShown) io.err(`\r${name} ${Math.floor(part * 100)} % `)
    },
    end: (): void => {
      if (isShown) io.err('\r\u001b[K')
    },
  }
}
