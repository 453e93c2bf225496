import type { KeyUse } from '../../schemas/keys.ts'
import type { OutputOf } from '../../schemas/operations.ts'
import { exitCodes } from './exit.ts'
import { type GlobalFlags, type Io, printJson } from './io.ts'
import { askFor, withClient } from './with-client.ts'

type Keys = OutputOf<'key.list'>

const show = (io: Io, flags: GlobalFlags, keys: Keys): number => {
  if (flags.json) printJson(io, keys)
  else {
    for (const { id, use, newest, held_by = [], held_by_count = 0 } of keys.keys) {
      const held = held_by_count > 0 ? `: tokens of ${held_by_count} are signed with it: ${some(held_by)}` : ''
      io.out(`${id}  ${use.padEnd(8)}  ${newest ? 'newest: signs from now on' : `older${held}`}\n`)
    }
    const count = keys.devices_behind_count
    if (count > 0) io.err(`${count} devices have not heard of the newest key yet: ${some(keys.devices_behind)}\n`)
  }
  return exitCodes.done
}

const some = (names: readonly string[]): string => `${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`

export const listKeys = (io: Io, flags: GlobalFlags): Promise<number> =>
  withClient(io, flags, async (client) => show(io, flags, await askFor(client, 'key.list', {})))

export const rotateKey = (io: Io, flags: GlobalFlags, use: KeyUse): Promise<number> =>
  withClient(io, flags, async (client) => show(io, flags, await askFor(client, 'key.rotate', { use })))

export const forgetKey = (io: Io, flags: GlobalFlags & { force?: boolean }, key: string): Promise<number> =>
  withClient(io, flags, async (client) => {
    const keys = await askFor(client, 'key.forget', { key, force: flags.force === true })
    if (!flags.json && keys.cut_off_count > 0) io.err(`Their tokens hold no more: ${some(keys.cut_off)}\n`)
    return show(io, flags, keys)
  })
