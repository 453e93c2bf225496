import type { FieldFault } from '../../../../schemas/errors.ts'
import { secondsOf } from '../../format/spans.ts'

/** What the fields of the form hold, each as it was typed. */
export interface DeploymentForm {
  release: string
  where: 'all' | 'selector' | 'devices'
  selector: string
  devices: string
  batch: string
  canary: string
  maxFailures: string
  minHealthy: string
  healthTimeout: string
  pause: string
  rollsBack: boolean
  failureRatio: string
  maxUnavailable: string
  unavailablePer: string
  late: 'apply' | 'apply_if_not_superseded' | 'hold'
  deadline: string
  env: string
}

/** What the controller takes where nothing is said is said here: who reads the form sees it. */
export const emptyForm: DeploymentForm = {
  ...{ release: '', where: 'all', selector: '', devices: '' },
  ...{ batch: '1', canary: '0', maxFailures: '0', minHealthy: '10s', healthTimeout: '60s', pause: '0s', rollsBack: true },
  ...{ failureRatio: '', maxUnavailable: '', unavailablePer: '', late: 'apply_if_not_superseded', deadline: '10 min', env: '' },
}

/** The options that are folded away as long as nobody has said anything there. */
export const hasMore = (form: DeploymentForm): boolean =>
  (['failureRatio', 'maxUnavailable', 'unavailablePer', 'late', 'deadline', 'env'] as const).some(
    (name) => form[name] !== emptyForm[name],
  )

type Fields = Readonly<Record<string, unknown>>

/** A deployment on its way to be checked or begun. */
export interface Draft extends Fields {
  release: string
  target: { devices?: readonly string[]; selector?: string }
}

/** What the form says. Faults are of what cannot even be read. */
export const draftOf = (form: DeploymentForm): { draft: Draft; faults: readonly FieldFault[] } => {
  const faults: FieldFault[] = []
  const read = <T>(field: string, text: string, of: (text: string) => T | undefined, message: string): T | undefined => {
    if (text.trim() === '') return undefined
    const value = of(text.trim())
    if (value === undefined) faults.push({ field, code: 'unreadable', message })
    return value
  }
  const number = (field: string, text: string) => read(field, text, numberOf, 'This is not a number')
  const span = (field: string, text: string) => read(field, text, secondsOf, 'This is no length of time, as 30s or 5 min')
  const share = (field: string, text: string) =>
    read(field, text, shareOf, 'This is neither a number of devices, as 5, nor a share of them, as 10%')
  const env = read('env', form.env, envOf, 'A line is not NAME=value')
  const fields = {
    batch: share('batch', form.batch),
    canary: number('canary', form.canary),
    max_failures: number('max_failures', form.maxFailures),
    min_healthy_seconds: span('min_healthy_seconds', form.minHealthy),
    health_timeout_seconds: span('health_timeout_seconds', form.healthTimeout),
    pause_seconds: span('pause_seconds', form.pause),
    auto_rollback: form.rollsBack,
    max_failure_ratio: read('max_failure_ratio', form.failureRatio, ratioOf, 'This is no share, as 20%'),
    max_unavailable: share('max_unavailable', form.maxUnavailable),
    max_unavailable_per: form.unavailablePer.trim() || undefined,
    late: form.late,
    progress_deadline_seconds: span('progress_deadline_seconds', form.deadline),
    env,
  }
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  return { draft: { release: form.release.trim(), target: targetOf(form), ...given }, faults }
}

/** What a deployment cannot do without. */
export const missingIn = (form: DeploymentForm): readonly FieldFault[] => {
  if (form.release.trim() === '') return [{ field: 'release', code: 'required', message: 'Choose what is rolled out' }]
  if (form.where === 'selector' && form.selector.trim() === '')
    return [{ field: 'target.selector', code: 'required', message: 'Say which labels the devices have' }]
  if (form.where === 'devices' && namesOf(form.devices).length === 0)
    return [{ field: 'target.devices', code: 'required', message: 'Name a device' }]
  return []
}

const targetOf = (form: DeploymentForm): Draft['target'] => {
  switch (form.where) {
    case 'all':
      return { selector: '' }
    case 'selector':
      return { selector: form.selector.trim() }
    case 'devices':
      return { devices: namesOf(form.devices) }
  }
}

/** Names with blanks, commas or lines between them, each once. */
export const namesOf = (text: string): readonly string[] => [...new Set(text.split(/[\s,;]+/).filter((name) => name !== ''))]

const numberOf = (text: string): number | undefined => {
  const number = Number(text)
  return Number.isFinite(number) ? number : undefined
}
const shareOf = (text: string): string | undefined => /^(\d+) ?(%?)$/.exec(text)?.slice(1).join('')
const ratioOf = (text: string): number | undefined => {
  const [, number, percent] = /^(\d+(?:\.\d+)?) ?(%?)$/.exec(text) ?? []
  if (number === undefined) return undefined
  return percent === '%' ? Number(number) / 100 : Number(number)
}
const envOf = (text: string): Readonly<Record<string, string>> | undefined => {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.some((line) => !/^[^=]+=/.test(line))) return undefined
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1)]))
}
