import { z } from 'zod'
import { agentFields } from './agent.ts'
import { noNul, ProcessPayload } from './process.ts'

/** What a run is: a process, or what an agent is asked to do. Between the two stand only `env` and `cwd`. */
export const RunPayload = z.strictObject({
  ...ProcessPayload.shape,
  /** In the words of a person; for an agent. */
  prompt: noNul(z.string().min(1)).optional(),
  ...agentFields,
})
export type RunPayload = z.infer<typeof RunPayload>
