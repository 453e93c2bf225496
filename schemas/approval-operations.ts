import { z } from 'zod'
import { approvalStates } from './agent-events.ts'
import { DeviceName, Instant, RunId, TaskId } from './ids.ts'
import { many, type Operation, page } from './operation.ts'

/** What an agent wants to do and may not do without somebody's word. */
export const Approval = z.looseObject({
  approval: RunId,
  /** As the device has it: an answer that has not reached it yet leaves it pending. */
  state: z.enum(approvalStates),
  /** What was answered, from the moment on that it was. */
  answer: z.enum(['approved', 'rejected']).nullable(),
  by: z.string().nullable(),
  reason: z.string().nullable(),
  device: DeviceName,
  run_id: RunId,
  task_id: TaskId.nullable(),
  tool: z.string(),
  title: z.string(),
  input: z.unknown(),
  requested_at: Instant,
  expires_at: Instant,
  decided_at: Instant.nullable(),
})
export type Approval = z.infer<typeof Approval>

const byApproval = z.strictObject({ approval: RunId })
const answer = byApproval.extend({ reason: z.string().max(1000).optional() })

/** What can be asked about permissions that agents wait for, and about what agents have used. */
export const approvalOperations = {
  'approval.list': {
    summary: 'List what agents wait for, or have waited for, newest first',
    role: 'viewer',
    http: { method: 'get', path: '/approvals', status: 200 },
    input: z.strictObject({
      ...page,
      state: many(z.enum(approvalStates)).optional(),
      device: DeviceName.optional(),
      task_id: TaskId.optional(),
    }),
    output: z.looseObject({ approvals: z.array(Approval), cursor: z.string().nullable() }),
  },
  'approval.get': {
    summary: 'Show one request for permission',
    role: 'viewer',
    http: { method: 'get', path: '/approvals/{approval}', status: 200 },
    input: byApproval,
    output: Approval,
  },
  'approval.approve': {
    summary: 'Let an agent do what it asks for',
    role: 'operator',
    http: { method: 'post', path: '/approvals/{approval}/approve', status: 200 },
    input: answer,
    output: Approval,
  },
  'approval.reject': {
    summary: 'Do not let an agent do what it asks for; it goes on without',
    role: 'operator',
    http: { method: 'post', path: '/approvals/{approval}/reject', status: 200 },
    input: answer,
    output: Approval,
  },
  'agent.usage': {
    summary: 'What agents have used: runs, turns, tokens and cost, by device and model',
    role: 'viewer',
    http: { method: 'get', path: '/agents/usage', status: 200 },
    input: z.strictObject({ since: Instant.optional(), until: Instant.optional() }),
    output: z.looseObject({
      usage: z.array(
        z.looseObject({
          device: DeviceName,
          agent: z.string(),
          provider: z.string().nullable(),
          model: z.string().nullable(),
          currency: z.string().nullable(),
          runs: z.number().int(),
          succeeded: z.number().int(),
          turns: z.number().int(),
          tokens: z.number().int(),
          cost: z.number().nullable(),
        }),
      ),
    }),
  },
} as const satisfies Record<string, Operation>
