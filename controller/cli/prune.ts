import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { askFor, withClient } from './with-client.ts'

export interface PruneFlags extends GlobalFlags {
  /** Seconds. */
  olderThan?: number
  dryRun?: boolean
}

/** `prune`: old tasks go now instead of when they are due. */
export const prune = (io: Io, flags: PruneFlags): Promise<number> =>
  withClient(io, flags, async (client) => {
    const age = flags.olderThan === undefined ? {} : { older_than_seconds: flags.olderThan }
    const said = await askFor(client, 'retention.prune', { ...age, dry_run: flags.dryRun ?? false })
    if (flags.json) printJson(io, said)
    else
      io.out(
        said.dry_run
          ? `${said.tasks} tasks that ended before ${said.before} would be removed\n`
          : `${said.tasks} tasks that ended before ${said.before} are being removed\n`,
      )
    return exitCodes.done
  })
