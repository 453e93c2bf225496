import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { listWorkloadFiles } from '../../base/workload-files/list.ts'
import { type ReadContext, readWorkloadFiles } from '../../base/workload-files/read.ts'
import type { ReadFiles } from './requests.ts'

/** Reads files and folders of this machine, with their templates filled in for this device. */
export const readFound = (
  paths: readonly string[],
  isReload: boolean,
  { env, device, plugins }: ReadContext,
): ReturnType<ReadFiles> => {
  // Where the folder around it is gone too, a disk may not be mounted, and nobody has removed anything.
  const gone = paths.filter((path) => isReload && !existsSync(path) && existsSync(dirname(path)))
  const listed = paths.filter((path) => !gone.includes(path)).map(listWorkloadFiles)
  const faults = listed.flatMap((one) => (one.ok ? [] : one.faults))
  if (faults.length > 0) return { ok: false, faults }
  const files = new Map(listed.flatMap((one) => (one.ok ? one.files : [])).map((file) => [file.path, file]))
  const read = readWorkloadFiles([...files.values()], { env: withoutOurOwn(env), device, plugins })
  if (!read.ok) return read
  return { ok: true, found: read.workloads.map(({ spec, file }) => ({ spec, file })), roots: [...paths], gone }
}

/** What is set for Skein itself, tokens among it, is nothing for a template. */
const withoutOurOwn = (env: ReadContext['env']): ReadContext['env'] =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SKEIN_')))
