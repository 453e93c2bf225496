import { z } from 'zod'
import { ignored } from '../../base/plugins/ignored.ts'
import type { Plugins } from '../../base/plugins/plugins.ts'
import type { TypeContext } from '../../base/plugins/read-module.ts'
import { faultsOf } from '../../schemas/faults.ts'
import { CommandWords, Env, Folder, type ProcessPayload, ScriptText } from '../../schemas/process.ts'
import type { WorkloadSpec } from '../../schemas/workload.ts'
import { notThere } from './plugin-needs.ts'

export type TypedWork = Pick<ProcessPayload, 'command' | 'script' | 'env' | 'cwd'>

const Answer = z.strictObject({
  command: CommandWords.optional(),
  script: ScriptText.optional(),
  env: Env.optional(),
  cwd: Folder.optional(),
})

/** Asks the plugin of a type what a workload of it runs. Throws what the plugin throws, and where its answer is none. */
export const typedWork = (
  plugins: Pick<Plugins, 'type'>,
  { type, params }: Pick<WorkloadSpec, 'type' | 'params'>,
  context: TypeContext,
): TypedWork => {
  const plugin = plugins.type(type)
  if (!plugin) throw new Error(notThere('type', type))
  // A copy: a workload is what its file says, whatever a plugin does to params.
  const said = plugin.command(structuredClone(params), context)
  ignored(said)
  const read = Answer.safeParse(typeof said === 'string' || Array.isArray(said) ? { command: said } : said, { reportInput: true })
  const wrong = (why: string): Error => new Error(`the plugin of type "${type}" gives no command: ${why}`)
  if (!read.success) {
    const [first] = faultsOf(read.error, Object.keys(Answer.shape))
    throw wrong(`${first?.field ?? '(answer)'}: ${first?.message ?? 'it cannot be read'}`)
  }
  const { command, script, env, cwd } = read.data
  if ((command === undefined) === (script === undefined)) throw wrong('it must hold exactly one of command, script')
  return {
    ...(command === undefined ? { script } : { command }),
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  }
}
