import { resolve } from 'node:path'
import { readConfig } from '../../base/config.ts'
import { type Config, flagOf, type SettingKey, settingOf, settingsOf } from '../../base/settings.ts'
import { claimsIn } from '../../base/token-claims.ts'
import { nearest } from '../../schemas/faults.ts'

export const serviceVerbs = ['install', 'upgrade', 'uninstall'] as const
export type ServiceVerb = (typeof serviceVerbs)[number]

/** What was asked for on the command line. */
export interface Order {
  verb: ServiceVerb
  unit: string
  isDryRun: boolean
  isJson: boolean
  /** How long to wait until the daemon is ready. */
  waitMs: number
  prefix: string
  isInPlace: boolean
  env: Record<string, string>
  user: string | null
  purge: boolean
  from: string | undefined
  /** Of install: the settings of the daemon, and those flags of them that go into the unit. */
  device?: { config: Config<'device'>; flags: string[]; joinToken: string | undefined; token: string | undefined }
}

export type OrderResult = { kind: 'order'; order: Order } | { kind: 'help' } | { kind: 'wrong'; problems: string[] }

const switches = ['--dry-run', '--json', '--in-place', '--purge'] as const
const valued = ['--unit-name', '--timeout', '--prefix', '--env', '--user', '--from'] as const
type Flag = (typeof switches)[number] | (typeof valued)[number]

const flagsOf: Record<ServiceVerb, readonly Flag[]> = {
  install: ['--unit-name', '--dry-run', '--json', '--timeout', '--prefix', '--in-place', '--env', '--user'],
  upgrade: ['--unit-name', '--dry-run', '--json', '--timeout', '--from'],
  uninstall: ['--unit-name', '--dry-run', '--json', '--purge'],
}

const isOf = <T extends string>(list: readonly T[], word: string): word is T => (list as readonly string[]).includes(word) // only to ask

/** Reads the words behind a verb. Those of install that are not its own are settings of the daemon. */
export const readOrder = (verb: ServiceVerb, argv: readonly string[], cwd: string): OrderResult => {
  const problems: string[] = []
  const rest: string[] = []
  const given = new Map<Flag, string[]>()
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--help' || word === '-h') return { kind: 'help' }
    const [, flag = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? []
    if (!isOf(flagsOf[verb], flag)) {
      rest.push(word)
      continue
    }
    const value = isOf(switches, flag) ? (inline ?? '') : (inline ?? argv[++i])
    if (value === undefined || (value === '' && isOf(valued, flag))) problems.push(`${flag} needs a value`)
    else given.set(flag, [...(given.get(flag) ?? []), value])
  }
  const last = (flag: Flag): string | undefined => given.get(flag)?.at(-1)

  const unit = (last('--unit-name') ?? 'skein-device').replace(/\.service$/, '')
  if (!/^[A-Za-z0-9:_.-]{1,200}$/.test(unit)) problems.push(`--unit-name: "${unit}" is no name of a unit`)
  const seconds = Number(last('--timeout') ?? (verb === 'upgrade' ? 30 : 60))
  if (!(seconds > 0 && seconds <= 3600)) problems.push(`--timeout: must be seconds from 1 to 3600, not "${last('--timeout')}"`)
  const user = last('--user') ?? null
  if (user !== null && !/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user)) problems.push(`--user: "${user}" is no name of a user`)
  const env: Record<string, string> = {}
  for (const pair of given.get('--env') ?? []) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(pair) ?? []
    if (name === undefined || value === undefined) problems.push(`--env: must be NAME=VALUE, not "${pair}"`)
    else env[name] = value
  }
  const prefix = resolve(cwd, last('--prefix') ?? '/opt/skein')
  const isInPlace = given.has('--in-place')
  if (isInPlace && given.has('--prefix')) problems.push('--in-place runs it from where it is: there is no --prefix then')
  const from = last('--from')

  const device = verb === 'install' ? readDevice(rest, cwd, problems) : undefined
  if (verb !== 'install')
    for (const word of rest) {
      const near = nearest(word, [...flagsOf[verb], '--help'])
      problems.push(
        word.startsWith('-') ? `unknown flag ${word}${near ? `, did you mean ${near}?` : ''}` : `unexpected "${word}"`,
      )
    }
  if (problems.length > 0) return { kind: 'wrong', problems }
  const order: Order = {
    verb,
    unit,
    isDryRun: given.has('--dry-run'),
    isJson: given.has('--json'),
    waitMs: seconds * 1000,
    prefix,
    isInPlace,
    env,
    user: user === 'root' ? null : user,
    purge: given.has('--purge'),
    from: from === undefined ? undefined : resolve(cwd, from),
    ...(device === undefined ? {} : { device }),
  }
  return { kind: 'order', order }
}

/** Settings that name something by a path: the unit has another working folder than whoever installs it. */
const paths: readonly SettingKey[] = ['data', 'token_file', 'join_token_file', 'tls_ca']

const readDevice = (argv: readonly string[], cwd: string, problems: string[]): Order['device'] | undefined => {
  // Not the environment: that of whoever installs is not the service's, and sudo keeps most of it out.
  const read = readConfig('device', { argv, env: {} })
  if (read.kind !== 'config') {
    if (read.kind === 'wrong') problems.push(...read.problems.map(({ key, message }) => `${key}: ${message}`))
    return undefined
  }
  const config = { ...read.config, data: resolve(cwd, read.config.data) }
  const isGiven = (flag: string): boolean => argv.some((word) => word === flag || word.startsWith(`${flag}=`))
  const flags = settingsOf('device').flatMap((key) => {
    if (settingOf(key).secret || key === 'name' || (key !== 'data' && !isGiven(flagOf(key)))) return []
    const text = textOf(Object.entries(config).find(([one]) => one === key)?.[1])
    return [flagOf(key), paths.includes(key) ? resolve(cwd, text) : text]
  })
  const file = argv.flatMap((word, i) =>
    word === '--config' ? (argv[i + 1] ?? []) : word.startsWith('--config=') ? word.slice(9) : [],
  )
  if (file[0] !== undefined) flags.push('--config', resolve(cwd, file[0]))
  // As of "device join", --token may be a join token; it says so itself.
  const isJoin = config.token !== undefined && claimsIn(config.token).role === 'join'
  return {
    config,
    flags,
    joinToken: isGiven('--join-token') ? config.join_token : isJoin ? config.token : undefined,
    token: isGiven('--token') && !isJoin ? config.token : undefined,
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, one]) => `${key}=${String(one)}`)
        .join(',')
    : String(value)
