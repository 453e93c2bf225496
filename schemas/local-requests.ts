import { z } from 'zod'
import { noNul, VariableName } from './process.ts'
import { WorkloadName } from './workload.ts'
import { workloadRequests } from './workload-requests.ts'

const named = { workload: WorkloadName }
const { logs, ...others } = workloadRequests

/**
 * What the people of a machine ask its device by the local socket: one JSON object a line, `{"command": "start", "workload": "ticker"}`,
 * answered by a line `{ok, output | error}`. `follow` is answered by lines `{part}` until the asker hangs up. This is the input of each.
 */
export const localRequests = {
  status: z.strictObject({}),
  metrics: z.strictObject({}),
  list: z.strictObject({}),
  get: z.strictObject({ ...named, history: z.number().int().min(0).max(1000).default(10) }),
  start: others.start.input,
  stop: others.stop.input,
  restart: others.restart.input,
  reload: z.strictObject({ dry_run: z.boolean().default(false) }),
  /** Files and folders on this machine; their workloads are this device's from now on. */
  apply: z.strictObject({
    paths: z
      .array(noNul(z.string().min(1)))
      .min(1)
      .max(100),
    dry_run: z.boolean().default(false),
  }),
  delete: z.strictObject(named),
  logs: logs.input,
  follow: logs.input,
  /** All that is needed to run something as a workload does. */
  env: z.strictObject(named),
  /** What the device holds for agents: the value comes in, and never out. */
  secrets: z.strictObject({}),
  secret_set: z.strictObject({ name: VariableName, value: z.string().max(32 * 1024) }),
  secret_delete: z.strictObject({ name: VariableName }),
  /** Ends everything that runs, and the daemon. */
  shutdown: z.strictObject({}),
} as const
export type LocalRequest = keyof typeof localRequests
export type LocalRequestInput<R extends LocalRequest> = z.infer<(typeof localRequests)[R]>
export const localRequestNames = Object.keys(localRequests) as LocalRequest[] // Object.keys forgets the keys' type
export const isLocalRequest = (name: string): name is LocalRequest => Object.hasOwn(localRequests, name)
