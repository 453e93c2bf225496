import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { pathsIn } from '../../../base/paths.ts'
import { CliFailure } from '../exit.ts'
import { localStatusOf } from '../local.ts'
import { type Check, ok, warn } from './check.ts'

type Paths = ReturnType<typeof pathsIn>

/** The devices of this machine, asked by their own sockets: no broker and no controller is needed. */
export const checkLocalDevices = async (paths: Paths): Promise<Check[]> =>
  Promise.all(namesIn(paths).map((name) => checkOne(paths, name)))

const checkOne = async (paths: Paths, name: string): Promise<Check> => {
  const id = `device ${name}`
  try {
    const { problem, unacknowledged, connected } = await localStatusOf(paths, name, 5000)
    const bytes = spooledIn(unacknowledged)
    if (problem !== undefined)
      return warn(
        id,
        `runs, and has no connection: ${String(problem)}`,
        'check its --url, its token, and whether the broker knows it',
      )
    if (bytes > 16e6)
      return warn(
        id,
        `${Math.round(bytes / 1e6)} MB of output wait for the controller`,
        'is the controller there and fast enough? Above spool_mb the oldest output is dropped',
      )
    return ok(id, `runs${connected === true ? ', connected' : ''}; ${bytes} bytes of output wait to be acknowledged`)
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error
    return warn(id, error.message, 'start it (skein up, or skein device), or remove its folder if it is not used any more')
  }
}

const spooledIn = (unacknowledged: unknown): number =>
  typeof unacknowledged === 'object' && unacknowledged !== null && 'log_bytes' in unacknowledged
    ? Number(unacknowledged.log_bytes)
    : 0

/** Tokens of devices that this user can read, to try a broker's permissions with. */
export const deviceTokensIn = (paths: Paths): { subject: string; token: string }[] =>
  namesIn(paths).flatMap((subject) => {
    const file = paths.device(subject).token
    try {
      return [{ subject, token: readFileSync(file, 'utf8').trim() }]
    } catch {
      return [] // another user's; the check is skipped, and says so
    }
  })

const namesIn = (paths: Paths): string[] =>
  existsSync(paths.devices) ? readdirSync(paths.devices).filter((name) => existsSync(paths.device(name).token)) : []
