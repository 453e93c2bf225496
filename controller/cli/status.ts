import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { statusDetails } from './show.ts'
import { askFor, withClient } from './with-client.ts'

/** `status`: the fleet in a few lines. */
export const showStatus = (io: Io, flags: GlobalFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const status = await askFor(client, 'system.status', {})
    if (flags.json) printJson(io, status)
    else io.out(statusDetails(status))
    return exitCodes.done
  })
