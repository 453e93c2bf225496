import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClockSigns } from './clock-trust.ts'

/** Further apart than this a battery clock is not where the time comes from; one that keeps local time is less. */
const sameDayMs = 86_400_000

/** Looks what this machine shows about its wall clock; `root` is `/`. */
export const readClockSigns = (
  root: string,
  now: number,
): Pick<ClockSigns, 'isSynchronized' | 'hasTimeService' | 'hasBatteryClock'> => ({
  // systemd-timesyncd makes this file when it has set the clock, systemd-time-wait-sync when anybody has.
  isSynchronized: existsSync(join(root, 'run/systemd/timesync/synchronized')),
  hasTimeService: services.some((path) => existsSync(join(root, path))),
  hasBatteryClock: batteryClocks(root).some((time) => Math.abs(time - now) <= sameDayMs),
})

const services = ['run/systemd/timesync', 'run/chrony', 'run/chronyd.pid', 'run/ntpd.pid', 'run/ntpd.sock', 'run/ntpsec']

const batteryClocks = (root: string): number[] => {
  const folder = join(root, 'sys/class/rtc')
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((name) => {
    try {
      return [Number(readFileSync(join(folder, name, 'since_epoch'), 'latin1')) * 1000]
    } catch {
      // One that cannot be read, as without a battery in it, is none.
      return []
    }
  })
}
