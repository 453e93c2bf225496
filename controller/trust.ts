import type { Chance } from '../base/chance.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { GroupCommit } from '../base/group-commit.ts'
import type { Log } from '../base/log.ts'
import type { Hello } from '../schemas/exchange.ts'
import { commandRefusals } from './command-refusals.ts'
import { deviceOperations } from './device-operations.ts'
import type { Effects } from './effects.ts'
import type { Epochs } from './epochs.ts'
import type { Execution } from './execution.ts'
import type { Fleet, FleetDevice } from './fleet.ts'
import type { GiveUp } from './giving-up.ts'
import type { CommandKeyFiles } from './identity/command-keys.ts'
import { createIssuing } from './identity/issuing.ts'
import { createRevocations } from './identity/revocations.ts'
import type { TokenKeyFiles } from './identity/token-keys.ts'
import { createTokenUse } from './identity/token-use.ts'
import { createJoining } from './joining.ts'
import { keyOperations } from './key-operations.ts'
import type { WelcomeCredentials } from './reconciliation.ts'
import type { Store } from './store/store.ts'
import { createTokenHolders } from './token-holders.ts'
import { tokenOperations } from './token-operations.ts'
import type { Views } from './views.ts'

export interface TrustDeps {
  fleetName: string
  store: Store
  fleet: Fleet
  execution: Execution
  views: Views
  effects: Effects
  commits: GroupCommit
  epochs: Epochs
  keys: CommandKeyFiles
  tokenKeys: TokenKeyFiles
  renewLocalTokens: () => Promise<void>
  certificate: () => string | undefined
  roomFor: (device: string) => void
  /** A device is about to leave the fleet: within that transaction. */
  leaving: (device: string) => void
  /** A device is not in the fleet any more. */
  left: (device: string) => void
  giveUp: GiveUp
  clock: Clock
  chance: Chance
  log: Log
}

/** So long a device may take to open a new token and put it into its file. */
const takenWithinMs = 2000

/** Who may belong to the fleet, and by what it is known: tokens, keys, and the devices themselves. */
export const createTrust = (deps: TrustDeps) => {
  const { fleetName, store, fleet, effects, commits, keys, tokenKeys, clock, chance, log } = deps
  const issuing = createIssuing({
    fleet: fleetName,
    store,
    tokenKeys,
    commandKeys: keys,
    clock,
    chance,
    certificate: deps.certificate,
  })
  const revocations = createRevocations({ fleet: fleetName, store, keys: tokenKeys, effects, commits, clock, log })
  const use = createTokenUse({ store, commits, clock, log })
  const holders = createTokenHolders({ store, use, clock })
  const joining = createJoining({ fleetName, store, fleet, commits, effects, issuing, keys, clock })
  const timers = new Set<Timer>()
  const later = (ms: number, call: () => void): void => {
    const timer = clock.after(ms, () => {
      timers.delete(timer)
      call()
    })
    timers.add(timer)
  }
  const askForHello = (name: string): void => {
    const journal = fleet.devices.get(name)?.row.journal
    if (journal) effects.sendCommand(name, 'ack', { journal, cursors: {}, hello: true })
  }
  /** Devices that are about to be asked whether they have taken their new token. */
  const asking = new Set<string>()
  const askIfTakenLater = (name: string): void => {
    if (asking.has(name)) return
    asking.add(name)
    later(takenWithinMs, () => {
      asking.delete(name)
      if (joining.mayAskIfTaken(name)) askForHello(name)
    })
  }

  return {
    handlers: {
      ...tokenOperations({
        fleetName,
        store,
        fleet,
        giveUp: deps.giveUp,
        commits,
        effects,
        issuing,
        revocations,
        use,
        clock,
        chance,
      }),
      ...deviceOperations({ ...deps, revocations }),
      ...keyOperations({
        ...{ keys, tokenKeys, holders, revocations, fleet, commits, effects, askForHello, later },
        renewLocalTokens: deps.renewLocalTokens,
      }),
      ...commandRefusals({ commits, effects, log }),
      ...joining.handlers,
    },
    /** A token has been used. */
    used: use.note,
    close: (): void => {
      use.close()
      for (const timer of timers) timer.cancel()
    },
    /** What a welcome carries of it. */
    credentialsFor: ({ row: { name } }: FleetDevice, hello: Hello): WelcomeCredentials => {
      const key = hello.token && holders.said(name, hello.token.id)
      // Of one that is not on the list it is not known with which of several keys it is signed.
      const isOfOldKey = key === undefined ? tokenKeys.kids().length > 1 : key !== tokenKeys.newest().kid
      const inUse = hello.token && { ...hello.token, isOfOldKey }
      // Made while the device waits for nothing: it is asked for another hello, and gets it in the next welcome.
      const token = joining.tokenFor(name, inUse, () => askForHello(name))
      // And for one more, which tells that it has taken it.
      if (token !== undefined) askIfTakenLater(name)
      return { keys: keys.jwks(), proof: deps.epochs.proof(), ...(token === undefined ? {} : { token }) }
    },
    /** Brokers may have forgotten which tokens were revoked. */
    tellRevoked: revocations.tellSoon,
    /** A broker has kept this list of them. */
    seenRevoked: revocations.seen,
  }
}
export type Trust = ReturnType<typeof createTrust>
