import { shellWord } from '../../format/shell-words.ts'
import { type Draft, draftOf, emptyForm } from './deployment-form.ts'

/** The same deployment as a line for a terminal; what is as it is usually is left out. */
export const commandLineOf = (draft: Draft): string => {
  const usual = draftOf(emptyForm).draft
  const words = ['skein', 'deploy', draft.release, ...whereOf(draft.target)]
  for (const [field, flag, unit] of flags) {
    const value = draft[field]
    if (value !== undefined && value !== usual[field]) words.push(`--${flag}`, `${String(value)}${unit ?? ''}`)
  }
  if (draft['auto_rollback'] === false) words.push('--no-rollback')
  // Read from the form as names and values.
  for (const [name, value] of Object.entries((draft['env'] ?? {}) as Readonly<Record<string, string>>))
    words.push('--env', `${name}=${value}`)
  return [...words, '--watch'].map(shellWord).join(' ')
}

const whereOf = ({ devices, selector }: Draft['target']): readonly string[] => {
  if (devices) return devices.flatMap((name) => ['--device', name])
  return selector ? ['--selector', selector] : ['--all']
}

const flags: readonly (readonly [field: string, flag: string, unit?: string])[] = [
  ['batch', 'batch'],
  ['canary', 'canary'],
  ['max_failures', 'max-failures'],
  ['max_failure_ratio', 'max-failure-ratio'],
  ['min_healthy_seconds', 'min-healthy', 's'],
  ['health_timeout_seconds', 'health-timeout', 's'],
  ['max_unavailable', 'max-unavailable'],
  ['max_unavailable_per', 'max-unavailable-per'],
  ['pause_seconds', 'pause', 's'],
  ['late', 'late'],
  ['progress_deadline_seconds', 'progress-deadline', 's'],
]
