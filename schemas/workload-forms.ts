import type { FieldFault } from './errors.ts'

/** Names under which a field is known as well. */
export const workloadAliases: Readonly<Record<string, string>> = {
  timeout: 'timeout_seconds',
  restart_delay: 'restart.delay_seconds',
  restart_delay_seconds: 'restart.delay_seconds',
}

export type Draft = Record<string, unknown>

export interface RealForm {
  draft: Draft
  /** The name that the author used for a field, where it is another. */
  writtenAs: ReadonlyMap<string, string>
  faults: FieldFault[]
}

/** Gives what an author may write shorter its real form: aliases, names of dependencies, the defaults that hang on other fields. */
export const realFormOf = (raw: Draft): RealForm => {
  const writtenAs = new Map<string, string>()
  const faults: FieldFault[] = []
  // Without a prototype, so that a key like `__proto__` is one more unknown field.
  const draft: Draft = Object.assign(Object.create(null), raw)
  // A restart of another kind is refused as what it is.
  const restart = isRecord(raw['restart']) ? Object.assign(Object.create(null) as Draft, raw['restart']) : ({} as Draft) // both are plain objects
  for (const [alias, field] of Object.entries(workloadAliases)) {
    if (!Object.hasOwn(raw, alias)) continue
    delete draft[alias]
    const [place, name] = field.startsWith('restart.') ? [restart, field.slice('restart.'.length)] : [draft, field]
    if (place[name] !== undefined && place[name] !== raw[alias]) {
      const other = writtenAs.get(field) ?? field
      faults.push({
        field: alias,
        code: 'ambiguous',
        message: `is the same as ${other}, and they differ`,
        accepted: ['one of the two'],
      })
      continue
    }
    if (place[name] === undefined) writtenAs.set(field, alias)
    place[name] = raw[alias]
  }
  if (raw['restart'] === undefined ? Object.keys(restart).length > 0 : isRecord(raw['restart'])) {
    draft['restart'] = withRoom(restart)
  }
  if (Array.isArray(raw['depends_on']))
    draft['depends_on'] = raw['depends_on'].map((one: unknown) => (typeof one === 'string' ? { name: one } : one))
  if (raw['module'] !== undefined) {
    draft['entry_point'] ??= 'run'
    draft['runtime'] ??= 'python'
  }
  return { draft, writtenAs, faults }
}

const usualMostDelay = 300

/** A first wait that is longer than waits usually get is the longest as well, if no other is said. */
const withRoom = (restart: Draft): Draft => {
  const delay = restart['delay_seconds']
  const isLong = typeof delay === 'number' && delay > usualMostDelay && restart['max_delay_seconds'] === undefined
  return isLong ? { ...restart, max_delay_seconds: delay } : restart
}

export const isRecord = (value: unknown): value is Draft => typeof value === 'object' && value !== null && !Array.isArray(value)
