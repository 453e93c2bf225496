import type { Clock } from '../../base/clock.ts'

const windowMs = 60_000
const most = 10
const mostAddresses = 10_000

/** Counts failed sign-ins by address: after ten in a minute the next ones wait. */
export const createAttempts = (clock: Clock) => {
  const failures = new Map<string, number[]>()
  const recent = (address: string): number[] => (failures.get(address) ?? []).filter((at) => clock.mono() - at < windowMs)
  return {
    /** Seconds until the next one is listened to; 0 if it may come. */
    waitSeconds: (address: string): number => {
      const list = recent(address)
      const oldest = list[list.length - most]
      return oldest === undefined ? 0 : Math.ceil((windowMs - (clock.mono() - oldest)) / 1000)
    },
    failed: (address: string): void => {
      if (failures.size >= mostAddresses) failures.clear()
      failures.set(address, [...recent(address), clock.mono()].slice(-most))
    },
    succeeded: (address: string): void => {
      failures.delete(address)
    },
  }
}
export type Attempts = ReturnType<typeof createAttempts>
