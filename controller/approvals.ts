import type { Clock } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { Approval } from '../schemas/approval-operations.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import type { RunChange } from '../schemas/exchange.ts'
import { instant } from '../schemas/ids.ts'
import type { Asker } from './asking.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { ApprovalRow } from './store/approvals.ts'
import type { Store } from './store/store.ts'

export interface ApprovalsDeps {
  store: Store
  fleet: Fleet
  effects: Effects
  commits: GroupCommit
  clock: Clock
  log: Log
}

const givenUp = 'its device has not said what became of it'
/** So often an answer is sent to its device until that has it. */
const againMs = 10_000
/** So long after its time a device has to say itself that nobody has answered. */
const lateMs = 120_000
/** So long they are remembered. */
const keepMs = 90 * 24 * 3600 * 1000
const purgeMs = 3_600_000

/**
 * Keeps what agents ask for and what was answered. The device decides: it acts on the first answer that reaches it, and says so; until then an answer is sent again
 * and again, through restarts of everything.
 */
export const createApprovalKeeping = (deps: ApprovalsDeps) => {
  const { store, fleet, effects, commits, clock } = deps
  const failed = (error: unknown): void => deps.log.error({ err: error }, 'cannot store what became of approvals; trying again')
  let sentAt = clock.mono()
  let purgedAt = clock.mono()

  const save = (row: ApprovalRow): void => {
    store.approvals.put(row)
    effects.event(
      'approval',
      `skein.approval.${row.state === 'pending' && row.verdict ? 'answered' : row.state}`,
      row.approval_id,
      {
        ...approvalView(row),
      },
    )
  }

  const answerOf = ({ run_id: run, approval_id: approval, verdict, decided_by, decided_reason: reason }: ApprovalRow) => ({
    ...{ run, approval, verdict: verdict ?? 'rejected', by: decided_by ?? '', reason },
  })

  const decide = (
    asker: Asker,
    id: string,
    verdict: 'approved' | 'rejected',
    reason: string | undefined,
  ): Promise<Outcome<unknown>> =>
    commits.run((): Outcome<unknown> => {
      const row = store.approvals.get(id)
      if (!row) return unknown(id)
      // Who says the same again has not been told yet that it was taken.
      if (row.verdict === verdict && row.decided_by === asker.subject) return accepted(approvalView(row))
      if (row.state !== 'pending' || row.verdict !== null) {
        const now = row.state === 'pending' ? `answered: ${row.verdict} by ${row.decided_by}` : row.state
        return refused('conflict', `approval ${id} is ${now}`, [
          { field: 'approval', code: 'terminal_state', message: `is ${now}` },
        ])
      }
      const decided: ApprovalRow = {
        ...row,
        ...{ verdict, decided_by: asker.subject, decided_reason: reason ?? null, decided_at: clock.now() },
      }
      save(decided)
      effects.command(row.device, 'answer', { answers: [answerOf(decided)] })
      effects.event('audit', `skein.audit.approval_${verdict}`, asker.subject, {
        ...{ subject: asker.subject, operation: `approval.${verdict === 'approved' ? 'approve' : 'reject'}` },
        ...{ approval: id, device: row.device, run_id: row.run_id, title: row.title, reason: reason ?? null },
      })
      return accepted(approvalView(decided))
    })

  const handlers: Pick<Handlers, `approval.${'list' | 'get' | 'approve' | 'reject'}`> = {
    'approval.list': (_, input) => {
      const before = input.cursor === undefined ? undefined : readCursor(input.cursor)
      if (before === null)
        return refused('invalid', 'cursor: is none that was given', [
          { field: 'cursor', code: 'invalid', message: 'is none that was given' },
        ])
      const rows = store.approvals.list({ ...input, before, limit: input.limit + 1 })
      const shown = rows.slice(0, input.limit)
      const last = shown.at(-1)
      const cursor = last && rows.length > shown.length ? `${last.requested_at}.${last.approval_id}` : null
      return accepted({ approvals: shown.map(approvalView), cursor })
    },
    'approval.get': (_, { approval }) => {
      const row = store.approvals.get(approval)
      return row ? accepted(approvalView(row)) : unknown(approval)
    },
    'approval.approve': (asker, { approval, reason }) => decide(asker, approval, 'approved', reason),
    'approval.reject': (asker, { approval, reason }) => decide(asker, approval, 'rejected', reason),
  }

  return {
    handlers,
    /** Inside a transaction: a device tells of one of its own. */
    heard: (device: string, { run, task, approval: told }: RunChange): void => {
      if (!told) return
      const known = store.approvals.get(told.approval)
      // What was only given up here its device may know better.
      const isGivenUp = known?.state === 'expired' && known.decided_reason === givenUp
      if (known && (known.device !== device || (known.state !== 'pending' && !isGivenUp))) return
      const now = clock.now()
      const fresh: ApprovalRow = known ?? {
        ...{
          approval_id: told.approval,
          device,
          run_id: run,
          task_id: task ?? null,
          state: 'pending',
          tool: told.tool,
          title: told.title,
        },
        ...{
          input: JSON.stringify(told.input ?? null),
          // By our own clock: the device's may be another.
          requested_at: now,
          expires_at: now + Math.max(0, Date.parse(told.expires_at) - Date.parse(told.requested_at)),
        },
        ...{ verdict: null, decided_by: null, decided_reason: null, decided_at: null },
      }
      if (known && told.state === 'pending') return
      save({
        ...fresh,
        state: told.state,
        ...(told.state === 'pending' ? {} : { decided_reason: told.reason ?? fresh.decided_reason }),
      })
    },
    /** Inside a transaction: a run has ended, and nobody waits any more. */
    runEnded: (device: string, run: string): void => {
      for (const row of store.approvals.pendingOf(device))
        if (row.run_id === run) save({ ...row, state: 'withdrawn', decided_reason: 'its run has ended' })
    },
    /** Sends answers that no device has confirmed, and ends what no device will end any more. */
    tick: (): void => {
      if (clock.mono() - sentAt < againMs) return
      sentAt = clock.mono()
      const open = store.approvals.pending()
      for (const row of open)
        if (row.verdict !== null && fleet.devices.get(row.device)?.isReady)
          effects.sendCommand(row.device, 'answer', { answers: [answerOf(row)] })
      if (clock.mono() - purgedAt >= purgeMs) {
        purgedAt = clock.mono()
        commits.run(() => store.approvals.purge(clock.now() - keepMs)).catch(failed)
      }
      const late = open.filter((row) => row.expires_at + lateMs < clock.now())
      if (late.length === 0) return
      commits
        .run(() => {
          for (const row of late) save({ ...row, state: 'expired', decided_reason: givenUp })
        })
        .catch(failed)
    },
    /** A device is there again: what was answered meanwhile goes to it. */
    welcomed: (device: string): void => {
      const answers = store.approvals.pendingOf(device).filter((row) => row.verdict !== null)
      if (answers.length > 0) effects.command(device, 'answer', { answers: answers.map(answerOf) })
    },
  }
}
export type ApprovalKeeping = ReturnType<typeof createApprovalKeeping>

const approvalView = (row: ApprovalRow): Approval => ({
  approval: row.approval_id,
  state: row.state,
  answer: row.verdict,
  by: row.decided_by,
  reason: row.decided_reason,
  device: row.device,
  run_id: row.run_id,
  task_id: row.task_id,
  tool: row.tool,
  title: row.title,
  input: JSON.parse(row.input),
  requested_at: instant(row.requested_at),
  expires_at: instant(row.expires_at),
  decided_at: row.decided_at === null ? null : instant(row.decided_at),
})

const unknown = (id: string) =>
  refused('not_found', `there is no approval "${id}"`, [{ field: 'approval', code: 'not_found', message: 'names none' }])

const readCursor = (text: string): { at: number; id: string } | null => {
  const [, at, id] = /^(\d{1,15})\.([a-z0-9-]{1,63})$/.exec(text) ?? []
  return at === undefined || id === undefined ? null : { at: Number(at), id }
}
