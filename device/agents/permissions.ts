import type { Clock, Timer } from '../../base/clock.ts'
import type { Approve } from '../../schemas/agent.ts'
import type { ApprovalChange } from '../../schemas/agent-events.ts'
import { instant } from '../../schemas/ids.ts'
import type { ApprovalAnswer } from '../runner.ts'

export interface Call {
  id: string
  tool: string
  title: string
  input: unknown
}

export interface PermissionsDeps {
  run: string
  approve: Approve
  expiresMs: number
  clock: Clock
  /** Somebody is asked, or has answered, or nobody has in time. */
  changed: (call: Call, change: ApprovalChange) => void
  /** Whether anybody is waited for. */
  waits: (isWaiting: boolean) => void
}

const mostOpen = 20

interface Open {
  call: Call
  change: ApprovalChange
  timer: Timer
  resolve: (verdict: 'allow' | 'reject' | 'cancelled') => void
}

/** Holds back what an agent wants to do until somebody has answered: the answer that counts is the first, and after a while it is no. */
export const createPermissions = ({ run, approve, expiresMs, clock, changed, waits }: PermissionsDeps) => {
  const open = new Map<string, Open>()
  let count = 0

  const close = (one: Open, state: ApprovalChange['state'], by: string | null, reason: string | null): void => {
    if (!open.delete(one.change.approval)) return
    one.timer.cancel()
    changed(one.call, { ...one.change, state, by, reason })
    waits(open.size > 0)
    one.resolve(state === 'approved' ? 'allow' : state === 'withdrawn' ? 'cancelled' : 'reject')
  }

  return {
    ask: (call: Call): Promise<'allow' | 'reject' | 'cancelled'> => {
      if (!mustAsk(approve, call)) return Promise.resolve('allow')
      // Nobody answers so many: it is no.
      if (open.size >= mostOpen) return Promise.resolve('reject')
      return new Promise((resolve) => {
        const approval = `${run}-a${++count}`.slice(-63)
        const now = clock.now()
        const { tool, title, input } = call
        const change: ApprovalChange = {
          ...{ approval, state: 'pending', tool, title, input, by: null, reason: null },
          ...{ requested_at: instant(now), expires_at: instant(now + expiresMs) },
        }
        const timer = clock.after(expiresMs, () => {
          const one = open.get(approval)
          if (one) close(one, 'expired', null, `nobody has answered within ${expiresMs / 1000} s`)
        })
        open.set(approval, { call, change, timer, resolve })
        waits(true)
        changed(call, change)
      })
    },
    answer: ({ approval, verdict, by, reason }: ApprovalAnswer): void => {
      const one = open.get(approval)
      if (one) close(one, verdict, by, reason)
    },
    /** Its run ends: nobody needs to answer any more. */
    withdraw: (): void => {
      for (const one of [...open.values()]) close(one, 'withdrawn', null, 'its run has ended')
    },
  }
}
export type Permissions = ReturnType<typeof createPermissions>

const mustAsk = (approve: Approve, { tool, title }: Call): boolean => {
  if (approve === 'none') return false
  if (approve === 'tools') return true
  const names = [tool, tool.slice(tool.indexOf('__') + 1).replace(/^_/, ''), title]
  return approve.matching.some((pattern) => names.some((name) => matchesGlob(pattern, name)))
}

/** `*` stands for anything; all else for itself. */
const matchesGlob = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split('*').map(escaped).join('[^]*')}$`).test(text)

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
