import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

export const keepSetup = (folder: string, kept: Kept): void =>
  writeFileSync(join(folder, file), JSON.stringify(kept), { mode: 0o600 })

/** Undefined of a run without a setup, which most are. */
export const readSetup = (folder: string): Kept | undefined => {
  const path = join(folder, file)
  // To ask first is cheaper than an exception, and this is on the way of every short run.
  if (!existsSync(path)) return undefined
  const text = readFileSync(path, 'utf8')
  try {
    return Kept.parse(JSON.parse(text))
  } catch {
    // Torn by a power cut or a full disk before its run began: nothing of that is left.
    return undefined
  }
}
