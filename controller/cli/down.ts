import { existsSync } from 'node:fs'
import { sleep } from '../../base/clock.ts'
import { holderOfFolder } from '../../base/hold.ts'
import { CliFailure, exitCodes, unreachable } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'

const lookEveryMs = 100
/** Workloads have their graces, one rank after the other. */
const endsWithinMs = 180_000

/** `down`: ends the `skein up` of a data folder, with everything below it; done when it is gone. */
export const down = async (io: Io, flags: GlobalFlags): Promise<number> => {
  const data = flags.data ?? io.env['SKEIN_DATA'] ?? '.skein'
  const pid = holderOf(data)
  if (pid === undefined) throw unreachable(`No "skein up" runs on the data folder ${data}; --data names another`)
  process.kill(pid, 'SIGTERM')
  if (!flags.json) io.err(`skein up, pid ${pid}, ends what it runs…\n`)
  const until = io.clock.mono() + endsWithinMs
  while (holderOf(data) === pid) {
    if (io.clock.mono() > until) throw new CliFailure(exitCodes.failed, 'failed', `"skein up" with pid ${pid} has not ended yet`)
    await sleep(io.clock, lookEveryMs)
  }
  if (flags.json) printJson(io, { pid, ended: true })
  else io.out(`ended: skein up, pid ${pid}\n`)
  return exitCodes.done
}

const holderOf = (data: string): number | undefined => (existsSync(data) ? holderOfFolder(data, 'up') : undefined)
