import type { FieldFault } from './errors.ts'
import { nearest } from './faults.ts'
import { workloadTypes } from './workload.ts'
import { type Draft, isRecord } from './workload-forms.ts'

/** What plugins provide where a workload is read, by name. */
export interface KnownPlugins {
  types: readonly string[]
  healthChecks: readonly string[]
  logProcessors: readonly string[]
  /** What the plugin of a type finds wrong with params. */
  validate?: (type: string, params: Readonly<Record<string, unknown>>) => FieldFault[]
}

/** Whether a plugin says what a workload of this type runs. */
export const isPluginType = (type: string): boolean => !workloadTypes.some((one) => one === type)

/** What is wrong with a type; undefined if nothing is. */
export const typeFault = (type: unknown, known: KnownPlugins | undefined): FieldFault | undefined => {
  const accepted = [...workloadTypes, ...(known?.types ?? [])]
  if (typeof type === 'string' && accepted.includes(type)) return undefined
  const base = { field: 'type', accepted }
  if (type === undefined) return { ...base, code: 'required', message: `is required: one of ${accepted.join(', ')}` }
  const others = known ? notProvided(type, accepted) : `; a plugin may provide others${meant(type, accepted)}`
  return { ...base, code: 'invalid_value', message: `must be one of ${accepted.join(', ')}${others}` }
}

/** What is wrong with the names of health checks and log processors. */
export const pluginFaults = ({ health, log, output }: Draft, known: KnownPlugins | undefined): FieldFault[] => {
  const faults: FieldFault[] = []
  if (isRecord(health)) {
    if (typeof health['plugin'] === 'string')
      faults.push(...nameFaults('health.plugin', health['plugin'], 'health check', known?.healthChecks))
    else if (health['params'] !== undefined)
      faults.push({
        field: 'health.params',
        code: 'ambiguous',
        message: 'belongs to a check of a plugin, and this is none',
        accepted: ['plugin'],
      })
  }
  const processors = isRecord(log) ? log['processors'] : undefined
  if (!Array.isArray(processors) || processors.length === 0) return faults
  if (output === 'file' || output === 'none')
    faults.push({
      field: 'log.processors',
      code: 'ambiguous',
      message: `belongs to output pipe, and this is ${output}: nobody sees the lines`,
      accepted: ['output: pipe'],
    })
  for (const [i, name] of processors.entries())
    if (typeof name === 'string') faults.push(...nameFaults(`log.processors.${i}`, name, 'log processor', known?.logProcessors))
  return faults
}

const nameFaults = (field: string, name: string, what: string, there: readonly string[] | undefined): FieldFault[] => {
  if (there?.includes(name)) return []
  const code = 'unknown_plugin'
  if (!there) return [{ field, code, message: `"${name}" is for a plugin to provide, and none is known here` }]
  if (there.length === 0) return [{ field, code, message: `no plugin here provides a ${what} "${name}"` }]
  return [{ field, code, message: `must be one of ${there.join(', ')}${notProvided(name, there)}`, accepted: [...there] }]
}

const notProvided = (name: unknown, there: readonly string[]): string =>
  typeof name === 'string' ? `; no plugin here provides "${name}"${meant(name, there)}` : ''

const meant = (name: unknown, there: readonly string[]): string => {
  const near = typeof name === 'string' ? nearest(name, there) : undefined
  return near === undefined ? '' : `, did you mean "${near}"?`
}
