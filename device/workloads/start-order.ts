import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type AgentField, type AgentSettings, agentFields, RecipeParams } from '../../schemas/agent.ts'
import { isPluginType } from '../../schemas/known-plugins.ts'
import type { RunPayload } from '../../schemas/payload.ts'
import type { ProcessPayload } from '../../schemas/process.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import type { RunSetup, StartOrder } from '../runner.ts'
import { moduleEnv, moduleWords } from './module-program.ts'
import { placeFiles } from './place-files.ts'
import type { TypedWork } from './typed-work.ts'

/** Where a workload is, and by what names it is known there. */
export interface Place {
  fleet: string
  device: string
  /** The folder of its own, which stays. */
  folder: string
  /** Where the text of it was read, if it was a file. */
  file: string | null
  /** Where its output goes if it writes that by itself. */
  output: string
  /** Asks the plugin of its type what it runs; throws if there is no answer. */
  typed?: (spec: WorkloadSpec) => TypedWork
}

/** What a workload runs: of exactly one of command, script, module and prompt, or what the plugin of its type says. */
export const payloadOf = (spec: WorkloadSpec, place: Place): RunPayload => {
  // What the workload says itself goes before what the plugin says.
  const { env, cwd, ...words } = wordsOf(spec, place)
  return { ...words, env: { ...env, ...spec.env }, cwd: cwdOf({ cwd: spec.cwd ?? cwd, files: spec.files }, place) }
}

const wordsOf = (spec: WorkloadSpec, place: Place): TypedWork & Omit<RunPayload, 'workload' | 'within'> => {
  if (isPluginType(spec.type) && place.typed) return place.typed(spec)
  if (spec.prompt !== undefined) return { prompt: spec.prompt, ...agentOf(spec) }
  if (spec.recipe !== undefined) return { recipe: spec.recipe, params: RecipeParams.parse(spec.params), ...agentOf(spec) }
  if (spec.script !== undefined) return { script: spec.script, ...(spec.args ? { args: spec.args } : {}) }
  return { command: spec.command ?? moduleWords(spec) }
}

/** What is said of an agent, as far as it is said. */
const agentOf = (spec: WorkloadSpec): AgentSettings => {
  const said = Object.keys(agentFields).filter((field) => spec[field as AgentField] !== undefined)
  return Object.fromEntries(said.map((field) => [field, spec[field as AgentField]]))
}

/** Relative paths begin at the file that says so; with `files` at the folder where these are put. */
const cwdOf = (spec: { cwd: string | undefined; files: readonly unknown[] }, { file, folder }: Place): string => {
  const base = file === null ? folder : dirname(file)
  if (spec.cwd !== undefined) return resolve(base, spec.cwd)
  return spec.files.length > 0 ? folder : base
}

/** Variables that every run of a workload has; its own win. */
export const envOf = (spec: WorkloadSpec, place: Place): Record<string, string> => ({
  SKEIN_FLEET: place.fleet,
  SKEIN_DEVICE: place.device,
  SKEIN_WORKLOAD: spec.name,
  SKEIN_WORKLOAD_TYPE: spec.type,
  SKEIN_FOLDER: place.folder,
  // What is printed is to be seen when it is printed.
  PYTHONUNBUFFERED: '1',
  ...(spec.module === undefined ? {} : moduleEnv(spec)),
})

/** What of a spec is for the kernel to enforce. */
export const setupOf = (spec: WorkloadSpec, place: Place): RunSetup => ({
  folder: place.folder,
  ...(spec.user === undefined ? {} : { user: spec.user }),
  ...(spec.cpu_nice === undefined ? {} : { nice: spec.cpu_nice }),
  ...(spec.memory_limit_mb === undefined ? {} : { memoryMb: spec.memory_limit_mb }),
  ...(spec.cpu_weight === undefined ? {} : { cpuWeight: spec.cpu_weight }),
  ...(spec.cpu_limit_percent === undefined ? {} : { cpuPercent: spec.cpu_limit_percent }),
  ...(spec.pids_limit === undefined ? {} : { processes: spec.pids_limit }),
  ...(spec.open_files_limit === undefined ? {} : { openFiles: spec.open_files_limit }),
  ...(spec.sandbox === undefined ? {} : { sandbox: spec.sandbox }),
  ...(spec.output === 'file' ? { output: { kind: 'file', path: place.output } as const } : {}),
  ...(spec.output === 'none' ? { output: { kind: 'none' } as const } : {}),
})

export const startOrderOf = (spec: WorkloadSpec, place: Place, run: string, slot: number | null): StartOrder => ({
  run,
  payload: payloadOf(spec, place),
  env: {
    ...envOf(spec, place),
    SKEIN_RUN: run,
    ...(slot === null ? {} : { SKEIN_SLOT: new Date(slot).toISOString() }),
  },
  setup: setupOf(spec, place),
})

/** Makes the folder of a workload, and puts its files there. */
export const prepareFolder = (spec: WorkloadSpec, { folder, output }: Place): void => {
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (spec.output === 'file') mkdirSync(dirname(output), { recursive: true, mode: 0o755 })
  placeFiles(folder, spec.files)
}

/** A task that runs a workload once, in a run of the task's own: its output goes to the task. */
export const onceOf = (
  spec: WorkloadSpec,
  place: Place,
  { env }: ProcessPayload,
): Pick<StartOrder, 'payload' | 'env' | 'setup'> => {
  const payload = payloadOf(spec, place)
  const { output: _, ...setup } = setupOf(spec, place)
  return { payload: { ...payload, env: { ...payload.env, ...env } }, env: envOf(spec, place), setup }
}

/** A command of a task's own, in the environment and folder of a workload and as its user. */
export const withinOf = (
  spec: WorkloadSpec,
  place: Place,
  { within: _, ...own }: ProcessPayload,
): Pick<StartOrder, 'payload' | 'env' | 'setup'> => {
  const { cwd = place.folder, env } = payloadOf(spec, place)
  const { folder, user, sandbox } = setupOf(spec, place)
  return {
    payload: { ...own, env: { ...env, ...own.env }, cwd: own.cwd === undefined ? cwd : resolve(cwd, own.cwd) },
    env: envOf(spec, place),
    setup: {
      ...(folder === undefined ? {} : { folder }),
      ...(user === undefined ? {} : { user }),
      ...(sandbox ? { sandbox } : {}),
    },
  }
}
