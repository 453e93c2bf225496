import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { factsOf } from './table.ts'
import { askFor, withClient } from './with-client.ts'

/** `whoami`: as whom the controller knows us, and until when. */
export const whoAmI = (io: Io, flags: GlobalFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const self = await askFor(client, 'token.self', {})
    if (flags.json) printJson(io, self)
    else
      io.out(
        factsOf([
          ['subject', self.subject],
          ['role', self.role],
          ['fleet', self.fleet],
          ['expires', self.expires_at],
          ['version', self.version],
        ]),
      )
    return exitCodes.done
  })
