import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'

const RunCgroup = z.object({
  /** Every one of the run, one in each hierarchy. */
  all: z.array(z.string()),
  /** The one by which its processes are found. */
  track: z.string(),
  /** That one is of version 1, and can be frozen. */
  freezer: z.boolean(),
  memory: z.object({ version: z.union([z.literal(1), z.literal(2)]), folder: z.string() }).optional(),
})
export type RunCgroup = z.infer<typeof RunCgroup>

const Kept = z.object({
  cgroup: RunCgroup.optional(),
  /** Its output goes through the pipes of its folder. */
  hasPipes: z.boolean(),
  /** Its leader only watches over the program, and passes on how that ends. */
  hasMonitor: z.boolean(),
  memoryMb: z.number().optional(),
})
/** What the next daemon has to know of a run that was set up in some way. */
export type Kept = z.infer<typeof Kept>

const file = 'setup'

/** Of a setup that asks for nothing of this nothing is written: a new file is a tenth of a millisecond on the way of each restart. */
const plain: Kept = { hasPipes: true, hasMonitor: false }

export const keepSetup = (folder: string, kept: Kept): void => {
  if (isDeepStrictEqual(kept, plain)) return
  writeFileSync(join(folder, file), JSON.stringify(kept), { mode: 0o600 })
}

/** Undefined of a run that was started without a setup. */
export const readSetup = (folder: string, hasSetup: boolean): Kept | undefined => {
  const path = join(folder, file)
  // To ask first is cheaper than an exception, and this is on the way of every short run.
  if (!existsSync(path)) return hasSetup ? plain : undefined
  const text = readFileSync(path, 'utf8')
  try {
    return Kept.parse(JSON.parse(text))
  } catch {
    // Torn by a power cut or a full disk before its run began: nothing of that is left.
    return undefined
  }
}
