import { z } from 'zod'
import { agentFields, RecipeParams } from './agent.ts'
import { noNul, ProcessPayload } from './process.ts'

/** What a run is: a process, or what an agent is asked to do. Between the two stand only `env` and `cwd`. */
export const RunPayload = z.strictObject({
  ...ProcessPayload.shape,
  /** In the words of a person; for an agent. */
  prompt: noNul(z.string().min(1)).optional(),
  /** In place of a prompt: a recipe, as a text of several lines or the path of a file on the device; and what it is to be filled with. */
  recipe: noNul(z.string().min(1)).optional(),
  params: RecipeParams.optional(),
  ...agentFields,
})
export type RunPayload = z.infer<typeof RunPayload>
