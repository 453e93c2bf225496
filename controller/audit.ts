import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { Effects } from './effects.ts'

/** Makes a refusal known in `event/audit`, so that the bare message of a script is not refused in silence. */
export type Audit = (subject: string, operation: string, code: string) => void

export const createAudit =
  ({ effects, commits, log }: { effects: Effects; commits: GroupCommit; log: Log }): Audit =>
  (subject, operation, code) => {
    commits
      .run(() => effects.event('audit', 'skein.audit.refused', subject, { subject, operation, code }))
      .catch((error: unknown) => log.error({ err: error }, 'a refusal could not be made known'))
  }
