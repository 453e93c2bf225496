import type { GroupCommit } from '../base/group-commit.ts'
import { accepted, type Outcome, refused } from '../schemas/errors.ts'
import type { KeyUse } from '../schemas/keys.ts'
import type { Asker } from './asking.ts'
import type { Effects } from './effects.ts'
import type { Fleet } from './fleet.ts'
import type { Handlers } from './handlers.ts'
import type { CommandKeyFiles } from './identity/command-keys.ts'
import type { KeyRingFiles } from './identity/key-ring.ts'
import type { Revocations } from './identity/revocations.ts'
import type { TokenKeyFiles } from './identity/token-keys.ts'
import type { TokenHolders } from './token-holders.ts'

export interface KeyOperationsDeps {
  keys: CommandKeyFiles
  tokenKeys: TokenKeyFiles
  holders: TokenHolders
  revocations: Revocations
  fleet: Fleet
  commits: GroupCommit
  effects: Effects
  askForHello: (device: string) => void
  later: (ms: number, call: () => void) => void
  /** Makes the tokens of this machine anew that are not signed as they should be. */
  renewLocalTokens: () => Promise<void>
}

interface CutOff {
  cut_off: string[]
  cut_off_count: number
}

const tellAfterMs = 200
/** At most so many names are told. */
const mostNames = 100

/** Changing the keys that commands and tokens are signed with: a new one, known everywhere before the old one goes. */
export const keyOperations = (deps: KeyOperationsDeps) => {
  const { keys, tokenKeys, holders, revocations, fleet, commits, effects } = deps
  const rings: Record<KeyUse, KeyRingFiles> = { commands: keys, tokens: tokenKeys }

  /** Devices that have not been welcomed with the newest key: they know only older ones. */
  const behind = (): string[] =>
    [...fleet.devices.values()].filter((one) => !one.welcomedKeys?.includes(keys.newest().kid)).map((one) => one.row.name)
  const view = () => {
    const names = behind()
    const older = (id: string, at: number) => {
      if (at === 0) return {}
      const held = holders.of(id)
      return { held_by: held.slice(0, mostNames), held_by_count: held.length }
    }
    return {
      keys: [
        ...keys.kids().map((id, at) => ({ id, use: 'commands' as const, newest: at === 0 })),
        ...tokenKeys.kids().map((id, at) => ({ id, use: 'tokens' as const, newest: at === 0, ...older(id, at) })),
      ],
      devices_behind: names.slice(0, mostNames),
      devices_behind_count: names.length,
    }
  }
  const audited = (asker: Asker, type: string, id: string, use: KeyUse): void =>
    effects.event('audit', type, asker.subject, { subject: asker.subject, key: id, use })
  /** Each device is told of new keys in its welcome, and gets a new token if it needs one. */
  const greetAll = (): void => {
    for (const { row, isReady } of fleet.devices.values()) if (isReady) deps.askForHello(row.name)
  }
  /** Why an older key cannot go yet. */
  const hindrance = (use: KeyUse, key: string): string | undefined => {
    const names = use === 'commands' ? behind() : holders.of(key)
    if (names.length === 0) return undefined
    const some = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`
    return use === 'commands'
      ? `${names.length} devices do not know the newest key yet: ${some}; with force they would have to join again`
      : `${names.length} hold tokens signed with it: ${some}; with force they are cut off, and devices among them would have to join again`
  }

  return {
    'key.list': () => accepted(view()),
    'key.rotate': async (asker, { use }) => {
      // Not in the commit, whose work may be done twice. If that comes to nothing, the key is told of with the next list, and by the next welcomes.
      const fresh = rings[use].rotate()
      await commits.run(() => {
        audited(asker, 'skein.audit.key_rotated', fresh, use)
        // Before any token that is signed with it: what is sent goes out in this order.
        if (use === 'tokens') revocations.tell()
      })
      greetAll()
      if (use === 'tokens') await deps.renewLocalTokens()
      return accepted(view())
    },
    'key.forget': async (asker, { key, force }) => {
      const use = keys.kids().includes(key) ? 'commands' : 'tokens'
      const forgotten = await commits.run((): Outcome<CutOff> => {
        const ring = rings[use]
        if (!ring.kids().includes(key)) return refused('not_found', `there is no key "${key}"`)
        if (ring.newest().kid === key) return refused('conflict', 'the newest key cannot be forgotten; rotate first')
        const hindered = force ? undefined : hindrance(use, key)
        if (hindered !== undefined)
          return refused('conflict', hindered, [{ field: 'key', code: 'in_use', message: 'is the only one that some go by' }])
        const held = use === 'tokens' ? holders.of(key) : []
        if (use === 'tokens') revocations.revokeKey(key)
        audited(asker, 'skein.audit.key_forgotten', key, use)
        return accepted({ cut_off: held.slice(0, mostNames), cut_off_count: held.length })
      })
      if (!forgotten.ok) return forgotten
      // Not in the commit, whose work may be done twice. If it does not come to this, the key holds on without its tokens until it is forgotten once more.
      rings[use].forget(key)
      greetAll()
      if (use === 'tokens') {
        // Brokers close whatever hangs on the old key, this controller's connection too: so it gets a new token first, and the answer goes out before.
        await deps.renewLocalTokens()
        deps.later(tellAfterMs, revocations.tellSoon)
      }
      return accepted({ ...view(), ...forgotten.output })
    },
  } satisfies Partial<Handlers>
}
