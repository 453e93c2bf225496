import { agentFields, promptOnly, RecipeParams } from './agent.ts'
import { acceptedSchedules, scheduleFault, timezoneFault } from './cron.ts'
import type { FieldFault } from './errors.ts'
import { isPluginType, type KnownPlugins, pluginFaults, typeFault } from './known-plugins.ts'
import { workloadFields } from './workload.ts'
import { type Draft, isRecord } from './workload-forms.ts'

/** What a workload may run; one of them does. */
export const workKinds = ['command', 'script', 'module', 'prompt', 'recipe'] as const
const checkKinds = ['command', 'http', 'tcp', 'log', 'plugin'] as const
const ofSchedules = ['schedule', 'timezone', 'overlap', 'missed', 'missed_within_seconds', 'jitter_seconds'] as const
const ofModules = ['entry_point', 'runtime', 'params'] as const

/** What is wrong between fields, each of which may be right. `draft` is in its real form, `raw` as it was written. */
export const faultsBetween = (draft: Draft, raw: Draft, known?: KnownPlugins): FieldFault[] => [
  ...ofType(draft, raw, known),
  ...ofTime(draft),
  ...ofRestart(draft),
  ...ofHealth(draft),
  ...ofDependencies(draft),
  ...ofFiles(draft),
  ...pluginFaults(draft, known),
]

const ofType = (draft: Draft, raw: Draft, known: KnownPlugins | undefined): FieldFault[] => {
  const { type, params = {} } = draft
  if (typeof type !== 'string' || !isPluginType(type)) return ofWork(draft, raw)
  const wrong = typeFault(type, known)
  // Of a type that nobody knows nobody can say what belongs to it.
  if (wrong) return [wrong]
  const others = [...workKinds, 'args', 'entry_point', 'runtime'].filter((field) => raw[field] !== undefined)
  const faults = others.map((field) =>
    fault(field, 'ambiguous', `stands beside type ${type}, whose plugin says what runs`, ['params']),
  )
  return isRecord(params) ? [...faults, ...(known?.validate?.(type, params) ?? [])] : faults
}

const ofWork = (draft: Draft, raw: Draft): FieldFault[] => {
  const kinds = workKinds.filter((kind) => draft[kind] !== undefined)
  const [kind, second] = kinds
  if (kind === undefined)
    return [fault('command', 'required', `must hold exactly one of ${workKinds.join(', ')}: what is to run`, workKinds)]
  if (second !== undefined)
    return [fault(second, 'ambiguous', `stands beside ${kind}; a workload has exactly one of ${workKinds.join(', ')}`, workKinds)]
  const faults: FieldFault[] = []
  if (kind === 'recipe' && !RecipeParams.safeParse(draft['params'] ?? {}).success)
    faults.push(
      fault('params', 'invalid', 'of a recipe must be texts, numbers and truth values, by names of letters, digits, _ and -'),
    )
  if (kind === 'recipe')
    for (const field of promptOnly)
      if (draft[field] !== undefined)
        faults.push(fault(field, 'ambiguous', 'goes with a prompt: a recipe says it itself, and nobody is asked', ['prompt']))
  if (kind !== 'prompt' && kind !== 'recipe')
    for (const field of Object.keys(agentFields))
      if (draft[field] !== undefined)
        faults.push(fault(field, 'ambiguous', `is for an agent, and this workload has a ${kind}`, ['prompt']))
  if ((kind === 'prompt' || kind === 'recipe') && draft['type'] !== 'agent')
    faults.push(fault(kind, 'ambiguous', 'is for type agent; give that, or a command, script or module', ['type: agent']))
  if (raw['args'] !== undefined && kind !== 'script') {
    const why = kind === 'command' ? 'belongs to a script; a command holds its own arguments' : 'belongs to a script'
    faults.push(fault('args', 'ambiguous', kind === 'module' ? `${why}; a module is given params` : why, ['script']))
  }
  for (const field of ofModules)
    if (kind !== 'module' && !(kind === 'recipe' && field === 'params') && isSaid(raw, field))
      faults.push(fault(field, 'ambiguous', `belongs to a module, and this workload has a ${kind}`, ['module']))
  return faults
}

const ofTime = (draft: Draft): FieldFault[] => {
  const { run_mode: mode, schedule, timezone } = draft
  const faults: FieldFault[] = []
  if (mode === 'schedule' && schedule === undefined)
    faults.push(fault('schedule', 'required', 'is required with run_mode schedule', acceptedSchedules))
  if (mode === 'n_times' && draft['max_runs'] === undefined)
    faults.push(fault('max_runs', 'required', 'is required with run_mode n_times', ['a whole number from 1']))
  if (mode === 'forever' || mode === 'n_times')
    for (const field of ofSchedules)
      if (isSaid(draft, field))
        faults.push(fault(field, 'ambiguous', `belongs to run_mode schedule, and this is ${mode}`, ['run_mode: schedule']))
  if ((mode === 'forever' || mode === 'schedule') && draft['max_runs'] !== undefined)
    faults.push(fault('max_runs', 'ambiguous', `belongs to run_mode n_times, and this is ${mode}`, ['run_mode: n_times']))
  // Longer ones are refused by their length.
  if (typeof schedule === 'string' && schedule !== '' && schedule.length <= 256) {
    const message = scheduleFault(schedule)
    if (message !== undefined) faults.push(fault('schedule', 'invalid_schedule', message, acceptedSchedules))
  }
  if (typeof timezone === 'string' && timezone !== '' && timezone.length <= 64) {
    const wrong = timezoneFault(timezone)
    if (wrong) faults.push(fault('timezone', 'invalid_timezone', wrong.message, [wrong.near ?? 'Europe/Berlin']))
  }
  return faults
}

/** Whether a field says something: a workload as it is kept has every default, also where it means nothing, and is read again. */
const isSaid = (draft: Draft, field: (typeof ofSchedules)[number] | (typeof ofModules)[number]): boolean =>
  draft[field] !== undefined && JSON.stringify(draft[field]) !== JSON.stringify(workloadFields[field].safeParse(undefined).data)

const ofRestart = ({ restart }: Draft): FieldFault[] => {
  if (!isRecord(restart)) return []
  const { delay_seconds: delay, max_delay_seconds: most } = restart
  if (typeof delay !== 'number' || typeof most !== 'number' || delay <= most) return []
  return [fault('restart.delay_seconds', 'too_big', `must be at most restart.max_delay_seconds, which is ${most}`)]
}

const ofHealth = ({ health }: Draft): FieldFault[] => {
  if (!isRecord(health)) return []
  const faults: FieldFault[] = []
  const kinds = checkKinds.filter((kind) => health[kind] !== undefined)
  if (kinds.length !== 1) {
    const code = kinds.length === 0 ? 'required' : 'ambiguous'
    faults.push(fault('health', code, `must hold exactly one of ${checkKinds.join(', ')}`, checkKinds))
  }
  const port = typeof health['tcp'] === 'string' ? /:(\d{1,5})$/.exec(health['tcp'])?.[1] : undefined
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    faults.push(fault('health.tcp', 'invalid', `must have a port from 1 to 65535, not ${port}`, ['127.0.0.1:5432']))
  return faults
}

const ofDependencies = ({ name, depends_on: dependencies }: Draft): FieldFault[] => {
  if (!Array.isArray(dependencies)) return []
  const names = dependencies.map((one: unknown) => (isRecord(one) ? one['name'] : undefined))
  return names.flatMap((one, i) => {
    if (typeof one !== 'string') return []
    if (one === name) return [fault(`depends_on.${i}`, 'cycle', `"${one}" cannot wait for itself`)]
    return names.indexOf(one) < i ? [fault(`depends_on.${i}`, 'duplicate', `"${one}" is named twice`)] : []
  })
}

const ofFiles = ({ files }: Draft): FieldFault[] => {
  if (!Array.isArray(files)) return []
  const paths = files.map((one: unknown) => (isRecord(one) && typeof one['path'] === 'string' ? one['path'] : undefined))
  return paths.flatMap((path, i) => {
    if (path === undefined || path === '') return []
    const field = `files.${i}.path`
    if (!isWithin(path))
      return [fault(field, 'invalid_path', 'must be a relative path inside the folder of the workload', ['conf/app.ini'])]
    const other = paths
      .slice(0, i)
      .find((one) => one !== undefined && (one === path || one.startsWith(`${path}/`) || path.startsWith(`${one}/`)))
    return other === undefined
      ? []
      : [
          fault(
            field,
            'duplicate',
            other === path ? `"${path}" is given twice` : `stands against "${other}": one cannot be both file and folder`,
          ),
        ]
  })
}

/** Only plain names between the slashes: `a//b` and `./a` would be other names for the same file. */
const isWithin = (path: string): boolean => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')

const fault = (field: string, code: string, message: string, accepted?: readonly string[]): FieldFault => ({
  field,
  code,
  message,
  ...(accepted ? { accepted: [...accepted] } : {}),
})
