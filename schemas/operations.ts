import { z } from 'zod'
import { approvalOperations } from './approval-operations.ts'
import { deploymentOperations } from './deployment-operations.ts'
import { deviceOperations } from './device-operations.ts'
import { Instant } from './ids.ts'
import { askerRoles, number, type Operation, yesOrNo } from './operation.ts'
import { releaseOperations } from './release-operations.ts'
import { taskOperations } from './task-operations.ts'
import { trustOperations } from './trust-operations.ts'
import { workloadOperations } from './workload-operations.ts'

/** Every operation a client can ask of the controller. The MQTT door, REST and the CLI are made from this table. */
export const operations = {
  ...taskOperations,
  ...approvalOperations,
  ...deviceOperations,
  ...workloadOperations,
  ...releaseOperations,
  ...deploymentOperations,
  ...trustOperations,
  'retention.prune': {
    summary: 'Remove old tasks now: those that ended longer ago than given, and what is due anyway',
    role: 'admin',
    http: { method: 'post', path: '/retention/prune', status: 200 },
    input: z.strictObject({
      older_than_seconds: number(z.number().int().min(0).max(4_000_000_000)).optional(),
      dry_run: yesOrNo.default(false),
    }),
    output: z.looseObject({
      /** How many tasks go, with their runs and logs. */
      tasks: z.number().int(),
      before: Instant,
      dry_run: z.boolean(),
    }),
  },
  'system.status': {
    summary: 'Counts of tasks and devices, the age of the queue, versions',
    role: 'viewer',
    http: { method: 'get', path: '/status', status: 200 },
    input: z.strictObject({}),
    output: z.looseObject({
      version: z.string(),
      fleet: z.string(),
      epoch: z.number().int(),
      /** The controller's clock. */
      at: Instant.optional(),
      uptime_seconds: z.number().optional(),
      /** How late the event loop was, in the last half minute to minute. */
      loop_delay: z.looseObject({ p50_ms: z.number(), p99_ms: z.number(), max_ms: z.number() }).optional(),
      /** The databases, and the disk that they are on. */
      sizes: z.looseObject({ controller_bytes: z.number(), logs_bytes: z.number(), disk_free_bytes: z.number() }).optional(),
      /** What was found broken when the controller started, and what was done about it. */
      damage: z.array(z.string()).optional(),
      tasks: z.record(z.string(), z.number().int()),
      devices: z.record(z.string(), z.number().int()),
      queue: z.looseObject({ depth: z.number().int(), oldest_seconds: z.number().nullable() }),
    }),
  },
} as const satisfies Record<string, Operation>

export type OperationName = keyof typeof operations
export type InputOf<N extends OperationName> = z.infer<(typeof operations)[N]['input']>
export type OutputOf<N extends OperationName> = z.infer<(typeof operations)[N]['output']>
export const operationNames = Object.keys(operations) as OperationName[] // Object.keys forgets the keys' type

export const isOperation = (name: string): name is OperationName => Object.hasOwn(operations, name)
/** Whether a role may ask for an operation. */
export const mayAsk = (role: string, name: OperationName): boolean => {
  const needed = operations[name].role
  if (needed === 'join' || needed === 'device') return role === needed
  return (askerRoles as readonly string[]).indexOf(role) >= askerRoles.indexOf(needed) // any text may be asked about
}
