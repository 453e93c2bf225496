import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { factsOf, tableOf } from './table.ts'
import { askFor, withClient } from './with-client.ts'

/** `device plan`: what it runs, what it is to run, and why the two are not the same. */
export const showPlan = (io: Io, flags: GlobalFlags, device: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const plan = await askFor(client, 'device.plan', { device })
    if (flags.json) {
      printJson(io, plan)
      return exitCodes.done
    }
    io.out(
      factsOf([
        ['device', `${plan.device} (${plan.state})`],
        ['is as it is to be', plan.in_sync ? 'yes' : 'no'],
        ['revision', `${plan.reported_revision ?? '-'} of ${plan.desired_revision}`],
      ]),
    )
    if (plan.releases.length === 0) return exitCodes.done
    io.out('\n')
    io.out(
      tableOf(
        ['RELEASE', 'RUNS', 'IS TO RUN', 'STATE', 'WHY NOT'],
        plan.releases.map(({ name, desired, reported, why }) => [
          ...[name, reported?.active?.version ?? '-', desired?.version ?? '-', reported?.state ?? '-', why ?? ''],
        ]),
        io.terminal,
      ),
    )
    return exitCodes.done
  })
