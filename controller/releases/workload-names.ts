import { readWorkloadFiles } from '../../base/workload-files/read.ts'
import type { FieldFault } from '../../schemas/errors.ts'

/**
 * Which workloads a release has, out of the texts of its files; or what is wrong with them. What depends on the device it goes to is read there:
 * of such a file the names are taken as they are written.
 */
export const workloadNames = (
  texts: readonly { path: string; text: string }[],
): { ok: true; names: string[] } | { ok: false; faults: FieldFault[] } => {
  const read = readWorkloadFiles([...texts], { env: {}, device: undefined })
  if (read.ok) return { ok: true, names: read.workloads.map(({ spec }) => spec.name).sort() }
  const faults = read.faults.filter(({ code }) => code !== 'needs_device')
  if (faults.length > 0)
    return {
      ok: false,
      faults: faults.map(({ file, line, field, code, message, accepted }) => ({
        field: `${file}${line === null ? '' : `:${line}`} ${field}`,
        ...{ code, message },
        ...(accepted ? { accepted } : {}),
      })),
    }
  const dependent = new Set(read.faults.map(({ file }) => file))
  const rest = readWorkloadFiles(
    texts.filter(({ path }) => !dependent.has(path)),
    { env: {}, device: undefined },
  )
  const plain = rest.ok ? rest.workloads.map(({ spec }) => spec.name) : []
  const written = texts
    .filter(({ path }) => dependent.has(path))
    .flatMap(({ text }) =>
      [...text.matchAll(/^(?:\s*-)?\s*name:\s*["']?([a-z0-9][a-z0-9-]{0,62})["']?\s*$/gm)].map(([, name]) => name ?? ''),
    )
  return { ok: true, names: [...new Set([...plain, ...written])].sort() }
}
