import type { GroupCommit } from '../base/group-commit.ts'
import type { Outcome } from '../schemas/errors.ts'
import type { InputOf } from '../schemas/operations.ts'
import { ShellAnswer } from '../schemas/workload-shell.ts'
import type { Asker } from './asking.ts'
import type { DeviceAsking } from './device-asking.ts'
import type { Effects } from './effects.ts'

export interface ShellAskingDeps {
  asking: DeviceAsking
  effects: Effects
  commits: GroupCommit
  requestOf: (asker: Asker, parts: readonly unknown[], key: string | null | undefined) => string
}

/** So many openings and ends are known to be told. */
const mostTold = 1024

/** Passes the steps of a shell on to its device, with who asks; that one was opened and that it ended is told, what is typed is not. */
export const createShellAsking = ({ asking, effects, commits, requestOf }: ShellAskingDeps) => {
  const told = new Set<string>()
  const isFirst = (what: string): boolean => {
    if (told.has(what)) return false
    told.add(what)
    for (const oldest of told) {
      if (told.size <= mostTold) break
      told.delete(oldest)
    }
    return true
  }

  return async (asker: Asker, input: InputOf<'workload.shell'>): Promise<Outcome<unknown>> => {
    const { device, timeout_seconds: seconds, idempotency_key: key, ...question } = input
    const { subject } = asker
    const { workload } = question
    const request =
      key === undefined
        ? requestOf(asker, ['shell', device, question], asker.request)
        : requestOf(asker, ['shell', device, workload, question.session], key)
    const body = { request, by: subject, ...question }
    const outcome = await asking.ask({ device, what: 'shell', body, withinMs: (seconds + question.wait_seconds) * 1000 })
    const answer = outcome.ok ? ShellAnswer.parse(outcome.output) : undefined
    const session = answer?.session ?? question.session ?? null
    const result = outcome.ok ? 'done' : (outcome.error.details?.[0]?.code ?? outcome.error.code)
    const actions: string[] = []
    // A client repeats its request while it waits, and each is answered: it is told once.
    if (question.session === undefined && isFirst(`open ${request}`)) actions.push('open')
    if ((question.end || answer?.has_ended) && isFirst(`end ${device} ${session} ${result}`)) actions.push('end')
    if (actions.length === 0) return outcome
    return commits.run(() => {
      for (const action of actions) {
        const about = { subject, operation: 'workload.shell', device, workload, session, action, result }
        effects.event('audit', 'skein.audit.workload_shell', subject, about)
      }
      return outcome
    })
  }
}
