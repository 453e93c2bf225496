import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Clock, systemClock } from '../clock.ts'
import { importModule } from './import-module.ts'
import { type FoundPlugin, type Plugins, pluginsOf } from './plugins.ts'
import { readModule } from './read-module.ts'

/** A module that awaits for longer is given up; it must not keep a daemon from its workloads. */
const loadWithinMs = 10_000

/** Imports every *.mjs and *.js of a folder, in the order of their names. What cannot be loaded is told, and left out. */
export const loadPlugins = async (folder: string, clock: Clock = systemClock): Promise<Plugins> => {
  const found: FoundPlugin[] = []
  for (const file of filesIn(resolve(folder)))
    found.push(typeof file === 'string' ? { file, read: await loaded(file, clock) } : file)
  return pluginsOf(found)
}

const filesIn = (folder: string): (string | FoundPlugin)[] => {
  try {
    return readdirSync(folder)
      .filter((name) => /^[^.].*\.m?js$/.test(name))
      .sort()
      .map((name) => join(folder, name))
  } catch (error) {
    return [{ file: folder, read: { ok: false, error: `cannot be read: ${messageOf(error)}` } }]
  }
}

const loaded = async (file: string, clock: Clock): Promise<FoundPlugin['read']> => {
  let limit: { cancel(): void } | undefined
  const late = new Promise<never>((_, reject) => {
    limit = clock.after(loadWithinMs, () => reject(new Error(`it is not there after ${loadWithinMs / 1000} s`)))
  })
  try {
    return readModule(await Promise.race([importModule(pathToFileURL(file).href), late]))
  } catch (error) {
    return { ok: false, error: `cannot be loaded: ${messageOf(error)}` }
  } finally {
    limit?.cancel()
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
