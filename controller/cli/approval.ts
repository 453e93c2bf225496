import type { Approval } from '../../schemas/approval-operations.ts'
import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { spanOf } from './log-part.ts'
import { ago, factsOf, plain, tableOf } from './table.ts'
import { askFor, askPages, withClient } from './with-client.ts'

export interface ApprovalFlags extends GlobalFlags {
  limit?: number
  all?: boolean
  device?: string
  reason?: string
}

/** `approval list`: what waits for an answer; with `--all` also what has had one. */
export const listApprovals = (io: Io, flags: ApprovalFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const filters = {
      ...(flags.all ? {} : { state: ['pending' as const] }),
      ...(flags.device === undefined ? {} : { device: flags.device }),
    }
    const approvals = await askPages(
      flags.limit ?? 50,
      (limit, cursor) => askFor(client, 'approval.list', { ...filters, limit, ...(cursor ? { cursor } : {}) }),
      (page) => page.approvals,
    )
    if (flags.json) printJson(io, approvals)
    else if (approvals.length === 0) io.err('skein: nothing waits for an answer\n')
    else io.out(approvalsTable(approvals, io, io.clock.now()))
    return exitCodes.done
  })

/** `approval show`. */
export const showApproval = (io: Io, flags: ApprovalFlags, id: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const one = await askFor(client, 'approval.get', { approval: id })
    if (flags.json) printJson(io, one)
    else io.out(approvalDetails(one))
    return exitCodes.done
  })

/** `approval approve` and `approval reject`, each of those named. */
export const answerApprovals = (
  io: Io,
  flags: ApprovalFlags,
  what: 'approve' | 'reject',
  ids: readonly string[],
): Promise<number> =>
  withClient(io, flags, async (client) => {
    const answered: Approval[] = []
    for (const approval of ids) {
      const one = await askFor(client, `approval.${what}`, {
        approval,
        ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      })
      answered.push(one)
      if (!flags.json) io.out(`${approval} ${one.answer ?? one.state}: ${plain(one.title)}\n`)
    }
    if (flags.json) printJson(io, answered.length === 1 ? answered[0] : answered)
    return exitCodes.done
  })

/** `usage`: what agents have used, by device and model. */
export const showUsage = (io: Io, flags: ApprovalFlags & { since?: string; until?: string }): Promise<number> =>
  withClient(io, flags, async (client) => {
    const { usage } = await askFor(client, 'agent.usage', spanOf(flags, io.clock.now()))
    if (flags.json) printJson(io, usage)
    else if (usage.length === 0) io.err('skein: no agent has run in that time\n')
    else
      io.out(
        tableOf(
          ['DEVICE', 'AGENT', 'MODEL', 'RUNS', 'SUCCEEDED', 'TURNS', 'TOKENS', 'COST'],
          usage.map((one) => [
            ...[
              one.device,
              one.agent,
              one.model ?? '-',
              String(one.runs),
              String(one.succeeded),
              String(one.turns),
              String(one.tokens),
            ],
            one.cost === null ? '-' : `${one.cost.toFixed(4)} ${one.currency ?? ''}`,
          ]),
          io.terminal,
        ),
      )
    return exitCodes.done
  })

const approvalsTable = (approvals: readonly Approval[], io: Pick<Io, 'terminal'>, now: number): string =>
  tableOf(
    ['APPROVAL', 'STATE', 'DEVICE', 'ASKED', 'EXPIRES', 'WHAT'],
    approvals.map((one) => [
      ...[one.approval, stateOf(one), one.device, ago(one.requested_at, now), ago(one.expires_at, now), one.title],
    ]),
    io.terminal,
  )

const approvalDetails = (one: Approval): string =>
  factsOf([
    ['approval', one.approval],
    ['state', stateOf(one)],
    ['what', one.title],
    ['tool', one.tool],
    ['with', JSON.stringify(one.input)],
    ['device', one.device],
    ['task', one.task_id],
    ['run', one.run_id],
    ['asked', one.requested_at],
    ['expires', one.expires_at],
    ['answered', one.decided_at],
    ['by', one.by],
    ['reason', one.reason],
  ])

/** An answer that has not reached the device yet is told as one. */
const stateOf = ({ state, answer }: Approval): string => (state === 'pending' && answer ? `${answer}, on its way` : state)
