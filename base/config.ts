import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { nearest } from '../schemas/faults.ts'
import { configFaults } from './config-faults.ts'
import { configHelp } from './config-help.ts'
import {
  type Config,
  envNameOf,
  flagOf,
  isSettingKey,
  type Part,
  type SettingKey,
  settingKeys,
  settingOf,
  settingsOf,
} from './settings.ts'

/** One thing that is wrong: with which key, where it was set, and what would do. */
export interface ConfigProblem {
  key: string
  message: string
}

export type ConfigResult<P extends Part> =
  | { kind: 'config'; config: Config<P> }
  | { kind: 'help'; text: string }
  | { kind: 'wrong'; problems: ConfigProblem[] }

export interface ConfigSources {
  /** The arguments after the program's name. */
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
}

/** What a root exits with when `readConfig` says `wrong` (EX_CONFIG of sysexits.h). */
export const configExitCode = 78

const maxFileBytes = 256 * 1024

type Found = Map<SettingKey, { value: unknown; from: string }>

/** Reads a part's settings: flags beat the environment, that beats the YAML file, that beats the defaults. Reports every problem, not the first. */
export const readConfig = <P extends Part>(part: P, sources: ConfigSources): ConfigResult<P> => {
  const problems: ConfigProblem[] = []
  const flags = readFlags(part, sources.argv, problems)
  if (flags.help) return { kind: 'help', text: configHelp(part) }
  const env = readEnv(part, sources.env)
  const data = flags.found.get('data') ?? env.get('data')
  const file = readFile(flags.file, String(data?.value ?? settingOf('data').usual?.(part)), problems)

  const config: Record<string, unknown> = {}
  for (const key of settingsOf(part)) {
    const setting = settingOf(key)
    const found = flags.found.get(key) ?? env.get(key) ?? file.get(key)
    if (!found) {
      config[key] = setting.usual?.(part)
      continue
    }
    const parsed = setting.schema.safeParse(found.value)
    if (parsed.success) config[key] = parsed.data
    else {
      const shown = setting.secret ? '' : `, not ${JSON.stringify(found.value)}`
      const message = (parsed.error.issues[0]?.message ?? 'is not valid').replace(/^Invalid option: expected/, 'must be')
      problems.push({ key, message: `${message}${shown} (${found.from})` })
    }
  }
  if (problems.length === 0) problems.push(...configFaults(config))
  if (problems.length > 0) return { kind: 'wrong', problems }
  return { kind: 'config', config: config as Config<P> } // every key of the part was filled by its own schema or default just now
}

const readFlags = (part: Part, argv: readonly string[], problems: ConfigProblem[]) => {
  const found: Found = new Map()
  let file: string | undefined
  const known = [...settingsOf(part).map(flagOf), '--config', '--help']
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--help' || word === '-h') return { found, file, help: true }
    const [, flag, inline] = /^(--[^=]+)(?:=(.*))?$/s.exec(word) ?? []
    const key = settingsOf(part).find((one) => flagOf(one) === flag)
    if (flag === undefined || (key === undefined && flag !== '--config')) {
      const near = flag && nearest(flag, known)
      problems.push({ key: word, message: flag ? `unknown flag${near ? `, did you mean ${near}?` : ''}` : 'unexpected argument' })
      // The value of a mistyped flag is not one more problem.
      if (flag && inline === undefined && argv[i + 1]?.startsWith('-') === false) i++
      continue
    }
    if (key && settingOf(key).value === undefined) {
      found.set(key, { value: inline ?? true, from: flag })
      continue
    }
    const value = inline ?? argv[++i]
    if (value === undefined) problems.push({ key: key ?? 'config', message: `needs a value (${flag})` })
    else if (key) found.set(key, { value, from: flag })
    else file = value
  }
  return { found, file, help: false }
}

const readEnv = (part: Part, env: ConfigSources['env']): Found => {
  const found: Found = new Map()
  for (const key of settingsOf(part)) {
    const value = env[envNameOf(key)]
    // An empty variable is the shell's way to unset one.
    if (value !== undefined && value !== '') found.set(key, { value, from: envNameOf(key) })
  }
  return found
}

/** The file is shared by all parts of a machine: a key of another part is fine, an unknown one is not. */
const readFile = (given: string | undefined, data: string, problems: ConfigProblem[]): Found => {
  const found: Found = new Map()
  const file = given ?? join(data, 'skein.yaml')
  if (!existsSync(file)) {
    if (given !== undefined) problems.push({ key: 'config', message: `no such file "${file}"` })
    return found
  }
  const content = parsedYaml(file)
  if ('problem' in content) {
    problems.push({ key: 'config', message: content.problem })
    return found
  }
  for (const [key, value] of Object.entries(content.value)) {
    if (!isSettingKey(key)) {
      const near = nearest(key, settingKeys)
      problems.push({ key, message: `unknown key${near ? `, did you mean "${near}"?` : ''} (${file})` })
    } else if (value !== null) found.set(key, { value, from: file })
  }
  return found
}

const parsedYaml = (file: string): { value: object } | { problem: string } => {
  try {
    const size = statSync(file).size
    if (size > maxFileBytes) return { problem: `"${file}" has ${size} bytes, more than ${maxFileBytes}` }
    const value: unknown = parse(readFileSync(file, 'utf8'), { maxAliasCount: 0 })
    if (value === null || value === undefined) return { value: {} }
    return typeof value === 'object' && !Array.isArray(value) ? { value } : { problem: `"${file}" must hold keys and values` }
  } catch (error) {
    return { problem: `cannot read "${file}": ${error instanceof Error ? error.message.split('\n')[0] : String(error)}` }
  }
}
