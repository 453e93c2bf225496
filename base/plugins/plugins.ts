import type { KnownPlugins } from '../../schemas/known-plugins.ts'
import { paramFaults } from './param-faults.ts'
import type { HealthPlugin, LogPlugin, ReadModule, TypePlugin } from './read-module.ts'

/** A file that was to be a plugin. */
export interface FoundPlugin {
  file: string
  read: ReadModule
}

/** What became of one, as it is shown. */
export type ShownPlugin =
  | { file: string; error: string }
  | { file: string; provides: { types: string[]; health_checks: string[]; log_processors: string[] } }

/** All that plugins provide. */
export interface Plugins {
  type(name: string): TypePlugin | undefined
  healthCheck(name: string): HealthPlugin | undefined
  logProcessor(name: string): LogPlugin | undefined
  known: KnownPlugins
  shown: readonly ShownPlugin[]
}

/** Puts together what plugins provide. What an earlier one provides no later one may: that is left out as a whole. */
export const pluginsOf = (found: readonly FoundPlugin[]): Plugins => {
  const types = new Map<string, TypePlugin>()
  const healthChecks = new Map<string, HealthPlugin>()
  const logProcessors = new Map<string, LogPlugin>()
  const owners = new Map<string, string>()

  const take = ({ file, read }: FoundPlugin): ShownPlugin => {
    if (!read.ok) return { file, error: read.error }
    const { provided } = read
    const names = [
      ...[...provided.types.keys()].map((name) => `type "${name}"`),
      ...[...provided.healthChecks.keys()].map((name) => `health check "${name}"`),
      ...[...provided.logProcessors.keys()].map((name) => `log processor "${name}"`),
    ]
    const twice = names.find((name) => owners.has(name))
    if (twice !== undefined) return { file, error: `provides ${twice}, as does ${owners.get(twice)}` }
    for (const name of names) owners.set(name, file)
    for (const [name, one] of provided.types) types.set(name, one)
    for (const [name, one] of provided.healthChecks) healthChecks.set(name, one)
    for (const [name, one] of provided.logProcessors) logProcessors.set(name, one)
    const provides = {
      types: [...provided.types.keys()],
      health_checks: [...provided.healthChecks.keys()],
      log_processors: [...provided.logProcessors.keys()],
    }
    return { file, provides }
  }

  const shown = found.map(take)
  return {
    type: (name) => types.get(name),
    healthCheck: (name) => healthChecks.get(name),
    logProcessor: (name) => logProcessors.get(name),
    known: {
      types: [...types.keys()],
      healthChecks: [...healthChecks.keys()],
      logProcessors: [...logProcessors.keys()],
      validate: (type, params) => paramFaults(types.get(type), params),
    },
    shown,
  }
}

export const noPlugins: Plugins = pluginsOf([])
