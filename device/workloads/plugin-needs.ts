import type { Plugins } from '../../base/plugins/plugins.ts'
import { isPluginType } from '../../schemas/known-plugins.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'

/** Which plugin a workload needs that is not there, in words; null if it has all. It was there when the workload was applied. */
export const missingPlugin = (
  { type, health, log }: Pick<WorkloadSpec, 'type' | 'health' | 'log'>,
  plugins: Pick<Plugins, 'type' | 'healthCheck' | 'logProcessor'>,
): string | null => {
  if (isPluginType(type) && !plugins.type(type)) return notThere('type', type)
  if (health?.plugin !== undefined && !plugins.healthCheck(health.plugin)) return notThere('health check', health.plugin)
  const processor = log.processors?.find((name) => !plugins.logProcessor(name))
  return processor === undefined ? null : notThere('log processor', processor)
}

export const notThere = (what: 'type' | 'health check' | 'log processor', name: string): string =>
  `the plugin that provides ${what} "${name}" is not there`
