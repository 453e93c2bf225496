import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { type Hold, holdFolder } from '../../base/hold.ts'
import { pathsIn } from '../../base/paths.ts'
import { instant } from '../../schemas/ids.ts'
import { restoredKey } from '../restored.ts'
import { readArchive } from './archive.ts'
import { syncFolder } from './backup.ts'
import { Manifest, manifestName } from './manifest.ts'

export interface RestoreOptions {
  file: string
  data: string
  /** What stands in the way is put aside. */
  force: boolean
  /** Tasks that waited when the copy was taken run, even if they may have run since. */
  runWaiting: boolean
  now: number
  pid: number
}

export type Restored =
  | { ok: true; manifest: Manifest; aside: string | null }
  | { ok: false; why: 'in_use' | 'not_empty'; reason: string }

/** Reads a backup to its end and compares it with what it says of itself. Writes nothing. */
export const checkBackup = (file: string): Manifest => verified(file, () => undefined)

/**
 * Puts a backup in the place of what a controller had. What the backup does not have stays: above all the memory of devices on this machine. What it
 * replaces is put aside, never deleted. Nobody may use the folder meanwhile.
 */
export const restoreBackup = (options: RestoreOptions): Restored => {
  const { file, data, now } = options
  const paths = pathsIn(data)
  for (const folder of [data, paths.controller]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const holds: Hold[] = []
  try {
    for (const [folder, role] of [
      [data, 'up'],
      [paths.controller, 'controller'],
    ] as const) {
      const hold = holdFolder(folder, role, options.pid)
      holds.push(hold)
      if (!hold.ok)
        return { ok: false, why: 'in_use', reason: `"${data}" is in use by the process ${hold.pid ?? '?'}; stop it first` }
    }
    const staged = mkdtempSync(join(data, '.restore-'))
    try {
      const manifest = extract(file, staged)
      const names = readdirSync(staged)
      const inTheWay = names.filter((name) =>
        name === 'controller' ? existsSync(paths.controllerDb) : existsSync(join(data, name)),
      )
      if (inTheWay.length > 0 && !options.force)
        return {
          ok: false,
          why: 'not_empty',
          reason: `"${data}" has ${inTheWay.join(', ')} already; with --force they are put aside`,
        }
      mark(join(staged, 'controller', 'controller.db'), {
        at: now,
        made: Date.parse(manifest.at),
        run_waiting: options.runWaiting,
      })
      return { ok: true, manifest, aside: swap(data, staged, names, now) }
    } finally {
      rmSync(staged, { recursive: true, force: true })
    }
  } finally {
    for (const hold of holds.reverse()) if (hold.ok) void hold.close()
  }
}

const extract = (file: string, into: string): Manifest => {
  let open: number | undefined
  const end = (): void => {
    if (open === undefined) return
    fsyncSync(open)
    closeSync(open)
    open = undefined
  }
  try {
    return verified(file, (path) => {
      end()
      if (path === manifestName) return undefined
      mkdirSync(dirname(join(into, path)), { recursive: true, mode: 0o700 })
      const fd = openSync(join(into, path), 'wx', 0o600)
      open = fd
      return (chunk) => void writeSync(fd, chunk)
    })
  } finally {
    end()
  }
}

const verified = (file: string, take: (path: string) => ((chunk: Buffer) => void) | undefined): Manifest => {
  let text = ''
  const found = readArchive(file, (path) =>
    path === manifestName
      ? (chunk) => {
          text += chunk.toString('utf8')
        }
      : take(path),
  )
  if (text === '') throw new Error(`"${file}" is no backup of Skein: it has no ${manifestName}`)
  const manifest = Manifest.parse(JSON.parse(text))
  for (const { path, sha256 } of manifest.files) {
    const got = found.find((one) => one.path === path)
    if (got?.sha256 !== sha256) throw new Error(`"${file}" is damaged: "${path}" ${got ? 'has changed' : 'is missing'}`)
  }
  const foreign = found.find(({ path }) => path !== manifestName && !manifest.files.some((one) => one.path === path))
  if (foreign) throw new Error(`"${file}" has what it does not name: "${foreign.path}"`)
  return manifest
}

/** The controller that starts on it is to know that time has gone on without this database. */
const mark = (file: string, about: object): void => {
  const db = new Database(file, { fileMustExist: true })
  db.prepare('insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value').run(
    restoredKey,
    JSON.stringify(about),
  )
  db.pragma('wal_checkpoint(truncate)')
  db.close()
}

const swap = (data: string, staged: string, names: readonly string[], now: number): string | null => {
  const aside = join(data, `before-restore-${instant(now).replace(/[-:.]/g, '')}`)
  for (const name of names) {
    if (existsSync(join(data, name))) {
      mkdirSync(aside, { recursive: true, mode: 0o700 })
      renameSync(join(data, name), join(aside, name))
    }
    renameSync(join(staged, name), join(data, name))
  }
  syncFolder(data)
  return existsSync(aside) ? aside : null
}
