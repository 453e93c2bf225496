import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type Db, openReadOnly } from '../../base/database.ts'
import { pathsIn } from '../../base/paths.ts'
import { version } from '../../base/version.ts'
import { instant } from '../../schemas/ids.ts'
import { writeArchive } from './archive.ts'
import { type Manifest, manifestName } from './manifest.ts'

export interface BackupOptions {
  data: string
  file: string
  logs: boolean
  now: () => number
  /** Told how much of the databases is copied, from 0 to 1. */
  progress: (name: string, part: number) => void
}

/** Pages copied between two looks at whoever waits for progress. */
const pagesAtATime = 2000

/**
 * Copies what a controller needs to come back into one file, while it runs: its databases as they are at one moment, and all else in its data folder but the
 * devices, whose memory must never be older than they are. The copies are checked before they count.
 */
export const makeBackup = async ({ data, file, logs, now, progress }: BackupOptions): Promise<Manifest> => {
  const paths = pathsIn(data)
  const target = resolve(file)
  if (!relative(resolve(data), target).startsWith('..')) throw new Error(`Cannot write a backup into the data folder itself`)
  if (!existsSync(paths.controllerDb))
    throw new Error(`Cannot back up "${data}": there is no ${relative(data, paths.controllerDb)}`)
  const work = mkdtempSync(`${target}.part-`)
  const sources = [paths.controllerDb, ...(logs && existsSync(paths.logDb) ? [paths.logDb] : [])].map((from) => ({
    from,
    name: relative(data, from),
    db: openReadOnly(from),
  }))
  const archive = writeArchive(join(work, 'archive'))
  let isOpen = true
  try {
    // Both at once: each copy is what its database was at this moment, whatever is written meanwhile.
    for (const { db } of sources) {
      db.exec('begin')
      db.prepare('select count(*) from sqlite_schema').get()
    }
    const at = instant(now())
    for (const { db, name } of sources) {
      const copy = join(work, 'copy.db')
      await db.backup(copy, {
        progress: ({ totalPages, remainingPages }) => {
          progress(name, totalPages === 0 ? 1 : 1 - remainingPages / totalPages)
          return pagesAtATime
        },
      })
      checkCopy(copy, name)
      archive.addFile(name, copy, statSync(copy).size)
      rmSync(copy)
      progress(name, 1)
    }
    for (const name of otherFiles(data)) archive.addFile(name, join(data, name), statSync(join(data, name)).size)
    const main = sources[0]?.db
    const manifest: Manifest = {
      format: 1,
      version,
      epoch: Number(main && metaOf(main, 'epoch')),
      at,
      tasks: Number(main?.prepare<[], { n: number }>('select count(*) as n from task').get()?.n),
      logs,
      files: archive.entries.map((one) => ({ ...one })),
    }
    archive.addText(manifestName, `${JSON.stringify(manifest, null, 2)}\n`)
    archive.close()
    isOpen = false
    renameSync(join(work, 'archive'), target)
    syncFolder(dirname(target))
    return manifest
  } finally {
    if (isOpen) archive.abandon()
    for (const { db } of sources) db.close()
    rmSync(work, { recursive: true, force: true })
  }
}

const metaOf = (db: Db, key: string): string | undefined =>
  db.prepare<[string], { value: string }>('select value from meta where key = ?').get(key)?.value

const checkCopy = (copy: string, name: string): void => {
  const db = openReadOnly(copy)
  try {
    const found = db.pragma('integrity_check(3)', { simple: true })
    if (found !== 'ok') throw new Error(`Cannot back up "${name}": it is damaged: ${String(found)}`)
  } finally {
    db.close()
    for (const rest of [`${copy}-wal`, `${copy}-shm`]) rmSync(rest, { force: true })
  }
}

/** What belongs to one start only, or to a device, or lies aside already. */
const isLeftOut = (name: string): boolean =>
  /^(devices|controller\/(controller|logs)\.db.*|.*\.(lock|lock-journal|pid|suspect)|endpoints\.json|before-restore-.*|\.restore-.*|.*\.damaged-.*)$/.test(
    name,
  )

const otherFiles = (data: string, below = ''): string[] =>
  readdirSync(join(data, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name)
    if (isLeftOut(name) || isLeftOut(basename(name))) return []
    if (entry.isDirectory()) return otherFiles(data, name)
    return entry.isFile() ? [name] : []
  })

export const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
