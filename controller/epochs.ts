import type { Chance } from '../base/chance.ts'
import { readJws } from '../base/jws.ts'
import type { Log } from '../base/log.ts'
import { type ControllerState, EpochProof } from '../schemas/exchange.ts'
import type { Jws } from '../schemas/keys.ts'
import type { CommandKeys } from './identity/command-keys.ts'
import type { Meta } from './store/meta.ts'

export interface EpochsDeps {
  fleet: string
  meta: Meta
  chance: Chance
  keys: CommandKeys
  log: Log
  /** Told when the epoch is set: at the start, and when it has to rise. */
  changed: (epoch: number) => void
}

/**
 * The epoch of this controller: random at first, one higher at each start, stored before it is used. It rises above any that we
 * are shown a signature of our own for, and above nobody's mere word.
 */
export const createEpochs = ({ fleet, meta, chance, keys, log, changed }: EpochsDeps) => {
  const last = meta.get('epoch')
  const instance = chance.ulid(0)
  let epoch = 0
  let proof: Jws | undefined

  const set = (next: number): void => {
    meta.set('epoch', String(next))
    epoch = next
    proof = undefined
    changed(epoch)
  }

  /** The epoch that a proof is good for. */
  const provenBy = (shown: unknown): number | undefined => {
    const read = readJws(shown, 'skein-epoch', (kid) => keys.publicKey(kid))
    const body = read.ok ? EpochProof.safeParse(read.payload) : undefined
    return body?.success && body.data.fleet === fleet ? body.data.epoch : undefined
  }

  set(last === undefined ? 1 + Math.floor(chance.random() * 0x3fff_ffff) : Number(last) + 1)

  return {
    instance,
    now: (): number => epoch,
    /** The epoch as we sign it. */
    proof: (): Jws => {
      proof ??= keys.newest().sign('skein-epoch', JSON.stringify({ fleet, epoch }), { withKey: true })
      return proof
    },
    /** A device has seen an epoch: if it was ours, and is higher than now, we were restored from a backup and go above it. */
    heardOf: (claimed: number, shown: unknown): void => {
      if (claimed < epoch) return
      const proven = provenBy(shown)
      if (proven === undefined || proven < claimed) {
        if (claimed > epoch) log.warn({ epoch, claimed }, 'a device claims a higher epoch without a proof')
        return
      }
      if (proven <= epoch) return
      log.warn({ epoch, seen: proven }, 'a device has seen a higher epoch: this controller was restored and goes above it')
      set(proven + 1)
    },
    /** What the state of a controller, which may be our own from earlier, means for us. */
    compare: (state: ControllerState): 'ours' | 'stale' | 'overtaken' => {
      if (state.state === 'offline') return 'stale'
      if (state.epoch < epoch) return 'stale'
      if (state.epoch === epoch) {
        if (state.instance === undefined || state.instance === instance) return 'ours'
        // Two copies of one database: one of the two goes above the other, which then stops.
        if (instance < state.instance && provenBy(state.proof) === epoch) set(epoch + 1)
        return 'ours'
      }
      if (provenBy(state.proof) === state.epoch) return 'overtaken'
      log.warn({ epoch, claimed: state.epoch }, 'the state of a controller with a higher epoch is not signed')
      return 'stale'
    },
  }
}
export type Epochs = ReturnType<typeof createEpochs>
