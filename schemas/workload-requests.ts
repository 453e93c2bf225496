import { z } from 'zod'
import { Instant, RunId } from './ids.ts'
import { LogRecords } from './log.ts'
import { limit, number } from './operation.ts'
import { WorkloadName } from './workload.ts'
import { ShellAnswer, ShellInput, type ShellQuestion } from './workload-shell.ts'
import { ReloadDiff, WorkloadRun, WorkloadStatus } from './workload-status.ts'

/** Records of a workload's log, as `task.logs` gives those of a task. */
export const WorkloadLogPage = z.looseObject({
  workload: WorkloadName,
  records: LogRecords,
  /** Ask for what comes after this number next. */
  next: z.number().int(),
  /** The first number that is still kept, and the last that there is. */
  first: z.number().int(),
  last: z.number().int(),
})
export type WorkloadLogPage = z.infer<typeof WorkloadLogPage>

const named = { workload: WorkloadName }

/**
 * What can be asked of a device about its workloads: by people of the same machine over the local socket, and by the controller, whose
 * signed commands carry the same inputs. Asking for a state that already holds is no error.
 */
export const workloadRequests = {
  start: { input: z.strictObject(named), output: WorkloadStatus },
  stop: { input: z.strictObject(named), output: WorkloadStatus },
  restart: { input: z.strictObject(named), output: WorkloadStatus },
  /** Reads again the files that were applied, and touches only what has changed. */
  reload: { input: z.strictObject({}), output: ReloadDiff },
  logs: {
    input: z.strictObject({
      ...named,
      after: number(z.number().int().min(0)).default(0),
      before: number(z.number().int().min(1)).optional(),
      /** Only the last so many. */
      tail: number(z.number().int().min(0).max(10_000)).optional(),
      limit: limit(10_000, 1000),
      since: Instant.optional(),
      until: Instant.optional(),
      /** For so long whatever is written is sent to `device/<d>/log/<workload>` as well; asking again lengthens it. */
      follow_seconds: number(z.number().int().min(1).max(600)).optional(),
    }),
    output: WorkloadLogPage,
  },
  /** Its last runs, newest first; fewer than asked for where they do not fit in a message. */
  history: {
    input: z.strictObject({ ...named, limit: limit(200, 20) }),
    output: z.looseObject({ workload: WorkloadName, runs: z.array(WorkloadRun) }),
  },
  /** Opens a shell where the workload runs, types into it, and reads what it writes. Over the broker only, and only where the device lets one. */
  shell: { input: ShellInput, output: ShellAnswer },
  /** Tells an agent something while it works. It is of a run, not of a workload. */
  say: { input: z.strictObject({ run: RunId, text: z.string() }), output: z.looseObject({ run: RunId }) },
} as const
export type WorkloadRequest = keyof typeof workloadRequests
export type WorkloadRequestInput<R extends WorkloadRequest> = z.infer<(typeof workloadRequests)[R]['input']>
/** What a device is asked by the controller: its word is added to that of who asks. */
export type WorkloadQuestion<R extends WorkloadRequest> = R extends 'shell'
  ? ShellQuestion
  : R extends 'say'
    ? WorkloadRequestInput<'say'> & { by: string }
    : WorkloadRequestInput<R>
export const workloadRequestNames = Object.keys(workloadRequests) as WorkloadRequest[] // Object.keys forgets the keys' type
