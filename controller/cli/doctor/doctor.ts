import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pathsIn } from '../../../base/paths.ts'
import { exitCodes, usageFailure } from '../exit.ts'
import { type GlobalFlags, type Io, printJson } from '../io.ts'
import { findWhere } from '../where.ts'
import { checkBroker } from './broker.ts'
import { type Check, checksText, fail } from './check.ts'
import { checkCertificate, checkToken } from './credentials.ts'
import { checkDataFolder } from './data-folder.ts'
import { checkFleet } from './fleet.ts'
import { checkHub } from './hub.ts'
import { checkLocalDevices, deviceTokensIn } from './local-devices.ts'
import { checkMachine } from './machine.ts'

/** `doctor`: looks at this machine, the broker and the fleet, and says what is wrong and what to do about it. */
export const doctor = async (io: Io, flags: GlobalFlags): Promise<number> => {
  const paths = pathsIn(resolve(flags.data ?? io.env['SKEIN_DATA'] ?? '.skein'))
  const isElsewhere =
    flags.url !== undefined || flags.profile !== undefined || Boolean(io.env['SKEIN_URL'] ?? io.env['SKEIN_PROFILE'])
  const checks: Check[] = []
  let isReachable = true
  const found = (...some: Check[]): void => {
    checks.push(...some)
    if (!flags.json) io.out(checksText(some, io))
  }

  // What is most often wrong comes first: nothing runs.
  found(...(await checkHub(paths, isElsewhere)))
  found(...checkMachine(process.version, fileURLToPath(import.meta.url)))
  found(...checkDataFolder(paths, process.getuid?.() ?? 0))
  found(...(await checkLocalDevices(paths)))
  const search = findWhere(flags, io.env)
  if (!search.ok) {
    if (search.kind === 'usage') throw usageFailure(search.reason)
    found(fail('broker', search.reason, 'start Skein here, or name a broker and a token with --url and --token'))
    isReachable = search.kind === 'token'
  } else {
    const { where } = search
    found(await checkToken(where, paths, io.clock.now()))
    found(...(await checkCertificate(where, io.clock.now())))
    const broker = await checkBroker(io, where, deviceTokensIn(paths))
    found(...broker.checks)
    isReachable = broker.isReachable
    if (broker.checks[0]?.state === 'ok') {
      const fleet = await checkFleet(io, flags, where)
      found(...fleet.checks)
      isReachable = fleet.isReachable
    }
  }

  const count = (state: Check['state']): number => checks.filter((one) => one.state === state).length
  const isWell = count('fail') === 0
  if (flags.json) printJson(io, { ok: isWell, reachable: isReachable, checks })
  else
    io.out(
      `\n${isWell ? 'Nothing is broken' : `${count('fail')} broken`}${count('warn') > 0 ? `, ${count('warn')} to look at` : ''}\n`,
    )
  if (!isReachable) return exitCodes.unreachable
  return isWell ? exitCodes.done : exitCodes.failed
}
