import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import { accepted } from '../schemas/errors.ts'
import type { Effects } from './effects.ts'
import type { Handlers } from './handlers.ts'

/** What devices tell of commands that they did not obey: somebody may be trying something. */
export const commandRefusals = ({ commits, effects, log }: { commits: GroupCommit; effects: Effects; log: Log }) =>
  ({
    'device.refuse': (asker, input) => {
      log.warn({ device: asker.subject, ...input }, 'a device did not obey a command')
      return commits.run(() => {
        effects.event('audit', 'skein.audit.command_refused', asker.subject, { subject: asker.subject, ...input })
        return accepted({})
      })
    },
  }) satisfies Partial<Handlers>
