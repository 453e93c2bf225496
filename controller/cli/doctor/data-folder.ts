import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { pathsIn } from '../../../base/paths.ts'
import { type Check, fail, ok, skipped, warn } from './check.ts'

type Paths = ReturnType<typeof pathsIn>

/** The data folder of this machine: whose it is, who can read it, its room, and what was found damaged in it. */
export const checkDataFolder = (paths: Paths, uid: number): Check[] => {
  if (!existsSync(paths.data))
    return [skipped('data', `there is no ${paths.data} here: nothing of Skein has run in this folder (--data names another)`)]
  return [checkFolder(paths.data, uid), checkRoom(paths.data), checkSecrets(paths), checkDamage(paths)]
}

const checkFolder = (folder: string, uid: number): Check => {
  const { uid: owner, mode } = statSync(folder)
  if (owner !== uid && uid !== 0)
    return fail('data', `${folder} belongs to user ${owner}, you are ${uid}`, 'run Skein as its owner, or chown -R it')
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    return fail('data', `${folder} cannot be used: ${String(error)}`, 'make it writable for the user that runs Skein')
  }
  if ((mode & 0o077) !== 0) return warn('data', `others can look into ${folder} (mode ${octal(mode)})`, `chmod 700 ${folder}`)
  return ok('data', folder)
}

const checkRoom = (folder: string): Check => {
  const { bavail, bsize, blocks, ffree, files } = statfsSync(folder)
  const free = bavail * bsize
  const mb = Math.round(free / 1e6)
  const todo = 'make room: skein prune, smaller keep_logs_mb, or another disk'
  if (free < 50e6) return fail('disk', `${mb} MB free: databases cannot grow`, todo)
  // Some file systems have no fixed number of inodes and say 0.
  if (files > 0 && ffree / files < 0.01) return warn('disk', `${ffree} inodes free`, 'remove small files on this disk')
  if (free < 500e6 || bavail / blocks < 0.03) return warn('disk', `${mb} MB free`, todo)
  return ok('disk', `${mb} MB free`)
}

/** Files that nobody else may read. */
const checkSecrets = (paths: Paths): Check => {
  const devices = namesIn(paths.devices).map((name) => paths.device(name).token)
  const keys = namesIn(paths.keys)
    .filter((name) => !name.includes('.pub.'))
    .map((name) => join(paths.keys, name))
  const files = [paths.adminToken, paths.dashboardToken, ...keys, ...devices].filter((file) => existsSync(file))
  const open = files.filter((file) => (statSync(file).mode & 0o077) !== 0)
  if (open.length === 0) return ok('secrets', `${files.length} files of keys and tokens, for their owner only`)
  return fail(
    'secrets',
    `others can read ${open.map((file) => `${file} (mode ${octal(statSync(file).mode)})`).join(', ')}`,
    `chmod 600 ${open.join(' ')}, and make new tokens if somebody may have read them`,
  )
}

/** What was set aside when it could not be read. */
const checkDamage = (paths: Paths): Check => {
  const folders = [paths.data, paths.controller, ...namesIn(paths.devices).map((name) => paths.device(name).folder)]
  const found = folders.flatMap((folder) =>
    namesIn(folder)
      .filter((name) => name.includes('.damaged-'))
      .map((name) => join(folder, name)),
  )
  if (found.length === 0) return ok('damage', 'no files were set aside')
  return warn(
    'damage',
    `set aside because they were damaged: ${found.join(', ')}`,
    'look at disk and power; remove the files when you need nothing of them',
  )
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return [] // not there, or not ours to read, which the check of the folder tells
  }
}
const octal = (mode: number): string => (mode & 0o777).toString(8)
