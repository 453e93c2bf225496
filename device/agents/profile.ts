import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { AgentName, usualAgent } from '../../schemas/agent.ts'
import { Env, VariableName } from '../../schemas/process.ts'

const isPattern = (text: string): boolean => {
  try {
    new RegExp(text)
    return true
  } catch {
    // The refusal is the answer.
    return false
  }
}

/** How an agent is started that speaks the Agent Client Protocol on its standard input and output. */
export const AgentProfile = z.strictObject({
  name: AgentName,
  /** A program with its arguments; looked for on the daemon's PATH. */
  command: z.array(z.string().min(1)).min(1),
  env: Env.default({}),
  /** What it is called with to tell its version, and where in its answer that is. */
  version: z
    .strictObject({
      args: z.array(z.string()).default(['--version']),
      pattern: z
        .string()
        .refine((text) => isPattern(text), 'must be a regular expression')
        .default('\\d+(?:\\.\\d+)+'),
    })
    .prefault({}),
  /** The variables by which it is told what. */
  variables: z
    .strictObject({
      provider: VariableName.optional(),
      model: VariableName.optional(),
      max_turns: VariableName.optional(),
      mode: VariableName.optional(),
      /** A folder of its own for each run, which is removed afterwards. */
      folder: VariableName.optional(),
    })
    .prefault({}),
  /** What `mode` is set to: when it is to ask before it uses a tool, and when not. */
  modes: z.strictObject({ ask: z.string(), free: z.string() }).optional(),
  /** How it is started for a recipe: `{recipe}` stands for the file. What it writes then is Goose's stream-json. */
  recipe: z
    .strictObject({
      command: z.array(z.string().min(1)).min(1),
      /** The flag in front of each parameter, which is given as name=value. */
      param_flag: z.string().min(1),
    })
    .optional(),
  /** The request that takes what is said to it while it works, if it knows one. */
  steer: z.string().optional(),
})
export type AgentProfile = z.infer<typeof AgentProfile>

export const gooseProfile: AgentProfile = AgentProfile.parse({
  name: usualAgent,
  command: ['goose', 'acp', '--with-builtin', 'developer'],
  env: { GOOSE_DISABLE_KEYRING: '1' },
  variables: {
    provider: 'GOOSE_PROVIDER',
    model: 'GOOSE_MODEL',
    max_turns: 'GOOSE_MAX_TURNS',
    mode: 'GOOSE_MODE',
    folder: 'GOOSE_PATH_ROOT',
  },
  modes: { ask: 'approve', free: 'auto' },
  recipe: {
    command: ['goose', 'run', '--recipe', '{recipe}', '--no-session', '--output-format', 'stream-json'],
    param_flag: '--params',
  },
  steer: '_goose/unstable/session/steer',
})

/** Goose, and what is in `*.yaml` of a folder: one profile in each file, which may be another one of Goose. Throws with the file's name. */
export const readProfiles = (folder: string): AgentProfile[] => {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => /\.ya?ml$/.test(name)) : []
  const own = files.map((name) => {
    const path = join(folder, name)
    try {
      return AgentProfile.parse(parse(readFileSync(path, 'utf8')))
    } catch (error) {
      const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
      throw new Error(`Cannot read the agent profile ${path}: ${why}`, { cause: error })
    }
  })
  return [gooseProfile, ...own].filter((one, i, all) => all.findLastIndex((other) => other.name === one.name) === i)
}
