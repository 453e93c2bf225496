import { type Clock, every, type Timer } from './clock.ts'

export interface RecoveryOptions {
  clock: Clock
  /** Tries to write, so that it is noticed when there is room again. */
  probe: () => Promise<unknown>
  /** It can be written again: what was missed meanwhile can be asked for. */
  recovered: () => void
}

const probeEveryMs = 1000
/** A disk that is nearly full takes one write and refuses the next: not every success is told. */
const tellEveryMs = 5000

/** Watches a database that cannot be written, mostly because the disk is full, until it can again. */
export const createRecovery = ({ clock, probe, recovered }: RecoveryOptions) => {
  let probing: Timer | undefined
  let toldAt = Number.NEGATIVE_INFINITY
  return {
    isFailing: (): boolean => probing !== undefined,
    failed: (): void => {
      probing ??= every(clock, probeEveryMs, () => {
        probe().catch(() => undefined) // whoever commits has logged it
      })
    },
    succeeded: (): void => {
      if (probing === undefined || clock.mono() - toldAt < tellEveryMs) return
      probing.cancel()
      probing = undefined
      toldAt = clock.mono()
      recovered()
    },
    close: (): void => probing?.cancel(),
  }
}
